package observe

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
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

// has reports whether a version's name is one of the chosen. Mostly it needs no
// memory.
func (h *history) has(v version, c plan.Choice) bool {
	if n := h.bytes(v); c.Rules == nil {
		return len(n) >= len(c.Prefix) && string(n[:len(c.Prefix)]) == c.Prefix
	}
	return c.Has(h.name(v))
}

// waits reports whether no snapshot is one of the chosen, and the dataset waits
// for one; see plan.Choice.
func (h *history) waits(c plan.Choice) bool {
	if h == nil || c.Rules == nil || len(h.newest(plan.Choice{}, 1)) == 0 || len(h.newest(c, 1)) > 0 {
		return false
	}
	return c.Waits(func(yield func(string) bool) {
		for _, v := range h.all {
			if v.is(dataset.Snapshot) && !yield(h.name(v)) {
				return
			}
		}
	})
}

// full is a version's whole name.
func (h *history) full(ds string, v version) string {
	return dataset.Version{Kind: dataset.Kind(v.kind), Name: h.name(v)}.Full(ds)
}

// newest returns the newest of the chosen snapshots, the newest first.
func (h *history) newest(c plan.Choice, most int) (out []version) {
	if h == nil {
		return nil
	}
	for _, v := range slices.Backward(h.all) {
		if len(out) == most {
			break
		}
		if v.is(dataset.Snapshot) && h.has(v, c) {
			out = append(out, v)
		}
	}
	return out
}

// after counts the chosen snapshots that are newer than a createtxg, at most 1
// of those of which only the newest is sent.
func (h *history) after(txg uint64, c plan.Choice) (n int) {
	for _, v := range slices.Backward(h.all) {
		if v.txg <= txg {
			break
		}
		if v.is(dataset.Snapshot) && h.has(v, c) {
			n++
		}
		if n == 1 && c.NewestOnly() {
			break
		}
	}
	return n
}

// index is where a version is in all, which is in the order of createtxgs; -1:
// it is not there.
func (h *history) index(guid, txg uint64, fits func(version) bool) int {
	i, _ := slices.BinarySearchFunc(h.all, txg, func(v version, txg uint64) int { return cmp.Compare(v.txg, txg) })
	for ; i < len(h.all) && h.all[i].txg == txg; i++ {
		if h.all[i].guid == guid && fits(h.all[i]) {
			return i
		}
	}
	return -1
}

// before is the createtxg of the snapshot before a version; 0: there is none.
func (h *history) before(at version) uint64 {
	i := h.index(at.guid, at.txg, func(v version) bool { return v == at })
	for i--; i >= 0; i-- {
		if h.all[i].is(dataset.Snapshot) {
			return h.all[i].txg
		}
	}
	return 0
}

// between returns the snapshots that are newer than a, up to b.
func (h *history) between(a, b version) (out []version) {
	for _, v := range slices.Backward(h.all) {
		if v.txg <= a.txg {
			break
		}
		if v.txg <= b.txg && v.is(dataset.Snapshot) {
			out = append(out, v)
		}
	}
	return out
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

// findAny returns a version by its guid, a snapshot rather than a bookmark.
func (h *history) findAny(g dataset.GUID) (mark version, found bool) {
	if h == nil {
		return version{}, false
	}
	for _, v := range slices.Backward(h.all) {
		switch {
		case v.guid != uint64(g):
		case v.is(dataset.Snapshot):
			return v, true
		default:
			mark, found = v, true
		}
	}
	return mark, found
}

// host is what ZFS here says: every dataset below the roots that the jobs are
// about, with its versions.
type host struct {
	zfs      *zfs.ZFS
	datasets map[string]*history
	pools    map[string]bool   // that are here, of those of the roots
	held     map[string][]held // by dataset, of the snapshots that were asked for
	asked    map[string]bool
	made     map[string]made      // creations, by full name
	since    map[string]time.Time // of the first hold, of snapshots from the future
	noted    map[string]date      // creations that an earlier look has noted, by full name

	asides map[string]aside // what was set aside, by name

	lacking int // snapshots that are measured

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

// made is when a snapshot was created, in seconds since 1970, and how many bytes
// were written since the one before it.
type made struct {
	guid    dataset.GUID
	at      int64
	written uint64
}

// look lists what there is with one command, and meanwhile asks about the
// likeliest snapshots.
func (h *host) look(ctx context.Context, roots []string) error {
	h.held, h.asked, h.made = map[string][]held{}, map[string]bool{}, map[string]made{}
	names, err := h.versions(ctx, roots)
	if err != nil {
		return err
	}
	for _, ds := range names {
		if h.datasets[ds] == nil {
			h.datasets[ds] = &history{}
		}
	}
	return h.findPools(ctx, roots)
}

// findPools asks which pools of the roots are here: below a root that does not
// exist nothing is listed. It costs nothing where each pool has listed some.
func (h *host) findPools(ctx context.Context, roots []string) error {
	h.pools = map[string]bool{}
	for ds := range h.datasets {
		h.pools[dataset.Pool(ds)] = true
	}
	var names []string
	for _, root := range roots {
		if pool := dataset.Pool(root); !h.pools[pool] {
			names = append(names, pool)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return zfs.Present(h.zfs.List(ctx, zfs.ListOptions{Roots: slices.Compact(names)}, func(f []string) error {
		h.answers.Add(1)
		h.pools[strings.Clone(f[0])] = true
		return nil
	}))
}

// earlyNames is how many snapshots are asked about at once while the list goes
// on.
const earlyNames = 2500

// versions lists the snapshots and bookmarks, and returns the names of all
// datasets.
func (h *host) versions(ctx context.Context, roots []string) (names []string, err error) {
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
	one := func(ds string) error {
		h.answers.Add(1)
		names = append(names, ds)
		return nil
	}
	err = h.zfs.Tree(ctx, roots, one, func(ds string, v dataset.Version) error {
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
	return names, err
}

func sortVersions(all []version) {
	slices.SortFunc(all, func(a, b version) int {
		return cmp.Or(cmp.Compare(a.txg, b.txg), cmp.Compare(b.kind, a.kind), cmp.Compare(a.guid, b.guid))
	})
}
