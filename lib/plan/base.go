package plan

import (
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// sorted returns vs in order of createtxg: vs itself where it is so already,
// otherwise a copy.
func sorted(vs []dataset.Version) []dataset.Version {
	for i := 1; i < len(vs); i++ {
		a, b := vs[i-1], vs[i]
		if a.CreateTXG > b.CreateTXG || a.CreateTXG == b.CreateTXG && (a.Kind < b.Kind || a.Kind == b.Kind && a.Name > b.Name) {
			vs = slices.Clone(vs)
			dataset.Sort(vs)
			return vs
		}
	}
	return vs
}

// snapshots returns the snapshots among vs: vs itself where it has no others.
func snapshots(vs []dataset.Version) []dataset.Version {
	n := 0
	for _, v := range vs {
		if v.Kind == dataset.Snapshot {
			n++
		}
	}
	if n == len(vs) {
		return vs
	}
	out := make([]dataset.Version, 0, n)
	for _, v := range vs {
		if v.Kind == dataset.Snapshot {
			out = append(out, v)
		}
	}
	return out
}

// findBase returns the newest of receiver's snapshots whose guid sender still
// has, and its place in receiver. Both are sorted. Almost always that is the
// newest of all, so that one is looked for without building an index.
func findBase(sender, receiver []dataset.Version) (*Base, int) {
	if len(sender) == 0 || len(receiver) == 0 {
		return nil, -1
	}
	last := len(receiver) - 1
	if v, ok := byGUID(sender, receiver[last].GUID); ok {
		return &Base{Sender: v, Receiver: receiver[last]}, last
	}
	have := make(map[dataset.GUID]bool, len(sender))
	for _, v := range sender {
		have[v.GUID] = true
	}
	for i := last - 1; i >= 0; i-- {
		if have[receiver[i].GUID] {
			v, _ := byGUID(sender, receiver[i].GUID)
			return &Base{Sender: v, Receiver: receiver[i]}, i
		}
	}
	return nil, -1
}

// byGUID finds a version, a snapshot rather than a bookmark of the same guid.
// It looks from the newest on.
func byGUID(vs []dataset.Version, g dataset.GUID) (dataset.Version, bool) {
	var found dataset.Version
	for i := len(vs) - 1; i >= 0; i-- {
		if vs[i].GUID == g {
			if vs[i].Kind == dataset.Snapshot {
				return vs[i], true
			}
			found = vs[i]
		}
	}
	return found, found.GUID != 0
}
