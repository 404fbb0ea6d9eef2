package observe

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// history is the versions of one dataset, by createtxg, in little memory: there
// may be a million of them.
type history struct {
	names []byte // one after the other
	all   []version
}

// version has its name at from in names.
type version struct {
	guid, txg uint64
	from      uint32
	long      uint16
	kind      uint8
}

func (h *history) add(v dataset.Version) {
	from := uint32(len(h.names))
	h.names = append(h.names, v.Name...)
	h.all = append(h.all, version{uint64(v.GUID), v.CreateTXG, from, uint16(len(v.Name)), uint8(v.Kind)})
}

// exact is h in no more memory than it needs.
func (h *history) exact() *history {
	return &history{append(make([]byte, 0, len(h.names)), h.names...), append(make([]version, 0, len(h.all)), h.all...)}
}

func (h *history) bytes(v version) []byte { return h.names[v.from : v.from+uint32(v.long)] }

func (h *history) name(v version) string { return string(h.bytes(v)) }

func (v version) is(k dataset.Kind) bool { return v.kind == uint8(k) }

// has reports whether a version's name begins with prefix.
func (h *history) has(v version, prefix string) bool {
	n := h.bytes(v)
	return len(n) >= len(prefix) && string(n[:len(prefix)]) == prefix
}

// full is a version's whole name.
func (h *history) full(ds string, v version) string {
	return dataset.Version{Kind: dataset.Kind(v.kind), Name: h.name(v)}.Full(ds)
}

// newest returns the newest snapshots with the prefix, the newest first.
func (h *history) newest(prefix string, most int) (out []version) {
	if h == nil {
		return nil
	}
	for _, v := range slices.Backward(h.all) {
		if len(out) == most {
			break
		}
		if v.is(dataset.Snapshot) && h.has(v, prefix) {
			out = append(out, v)
		}
	}
	return out
}

// after counts the snapshots with the prefix that are newer than a createtxg.
func (h *history) after(txg uint64, prefix string) (n int) {
	for _, v := range slices.Backward(h.all) {
		if v.txg <= txg {
			break
		}
		if v.is(dataset.Snapshot) && h.has(v, prefix) {
			n++
		}
	}
	return n
}

// find returns a snapshot by its guid.
func (h *history) find(g dataset.GUID) (version, bool) {
	for _, v := range h.all {
		if v.guid == uint64(g) && v.is(dataset.Snapshot) {
			return v, true
		}
	}
	return version{}, false
}

// host is what ZFS here says: every dataset below the roots that the jobs are
// about, with its versions.
type host struct {
	zfs      *zfs.ZFS
	datasets map[string]*history
	held     map[string][]held // by dataset, of the snapshots that were asked for
	asked    map[string]bool
	made     map[string]made // creations, by full name
}

// held is a held snapshot, without its dataset, and the tags.
type held struct {
	short string
	tags  []string
}

type made struct {
	guid dataset.GUID
	at   int64
}

// look lists what there is with two commands.
func (h *host) look(ctx context.Context, roots []string) error {
	h.datasets = map[string]*history{}
	o := zfs.ListOptions{Types: []string{"filesystem", "volume"}, Roots: roots, Recursive: true}
	err := h.zfs.List(ctx, o, func(f []string) error {
		h.datasets[strings.Clone(f[0])] = &history{}
		return nil
	})
	if err := zfs.Present(err); err != nil {
		return err
	}
	var last string
	scratch := &history{}
	keep := func() {
		if len(scratch.all) > 0 {
			h.datasets[last] = scratch.exact()
		}
		scratch.names, scratch.all = scratch.names[:0], scratch.all[:0]
	}
	err = h.zfs.Histories(ctx, roots, true, func(ds string, v dataset.Version) error {
		if ds != last {
			keep()
			last = strings.Clone(ds)
			if before := h.datasets[last]; before != nil { // it was interrupted by another one
				scratch.names, scratch.all = append(scratch.names, before.names...), append(scratch.all, before.all...)
			}
		}
		scratch.add(v)
		return nil
	})
	keep()
	if err != nil {
		return err
	}
	for _, d := range h.datasets {
		slices.SortFunc(d.all, func(a, b version) int { return cmp.Or(cmp.Compare(a.txg, b.txg), cmp.Compare(b.kind, a.kind)) })
	}
	return nil
}
