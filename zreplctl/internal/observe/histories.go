package observe

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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

	// early are the snapshots of a dataset that are asked about while the list
	// goes on; nil: none.
	early func(ds string, of *history) (ask, date []string)
	mu    sync.Mutex // of held, asked and made

	answers atomic.Int64 // counts what zfs has said
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

// look lists what there is with two commands at a time, and meanwhile asks
// about the likeliest snapshots.
func (h *host) look(ctx context.Context, roots []string) error {
	h.held, h.asked, h.made = map[string][]held{}, map[string]bool{}, map[string]made{}
	var names map[string]*history
	var err error
	var beside sync.WaitGroup
	beside.Go(func() { names, err = h.names(ctx, roots) })
	verr := h.versions(ctx, roots)
	beside.Wait()
	if verr != nil || err != nil {
		return cmp.Or(err, verr)
	}
	for ds, empty := range names {
		if h.datasets[ds] == nil {
			h.datasets[ds] = empty
		}
	}
	return nil
}

// names lists the datasets.
func (h *host) names(ctx context.Context, roots []string) (map[string]*history, error) {
	all := map[string]*history{}
	o := zfs.ListOptions{Types: []string{"filesystem", "volume"}, Roots: roots, Recursive: true}
	err := h.zfs.List(ctx, o, func(f []string) error {
		h.answers.Add(1)
		all[strings.Clone(f[0])] = &history{}
		return nil
	})
	return all, zfs.Present(err)
}

// earlyNames is how many snapshots are asked about at once while the list goes
// on.
const earlyNames = 2500

// versions lists the snapshots and bookmarks.
func (h *host) versions(ctx context.Context, roots []string) error {
	h.datasets = map[string]*history{}
	ahead := newAhead(ctx, h)
	var last string
	scratch := &history{}
	keep := func() {
		if len(scratch.all) > 0 {
			sortVersions(scratch.all)
			h.datasets[last] = scratch.exact()
			if h.early != nil {
				ahead.add(h.early(last, h.datasets[last]))
			}
		}
		scratch.names, scratch.all = scratch.names[:0], scratch.all[:0]
	}
	err := h.zfs.Histories(ctx, roots, true, func(ds string, v dataset.Version) error {
		h.answers.Add(1)
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
	if aerr := ahead.end(); err == nil {
		err = aerr
	}
	return err
}

func sortVersions(all []version) {
	slices.SortFunc(all, func(a, b version) int { return cmp.Or(cmp.Compare(a.txg, b.txg), cmp.Compare(b.kind, a.kind)) })
}
