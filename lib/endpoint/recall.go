package endpoint

import (
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/history"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Memory is where an end keeps the snapshots that it has listed, for later
// looks. What it returns is checked, and what cannot be read was never kept.
type Memory interface {
	Read() ([]byte, error)
	Write(text []byte) error
}

// stamps are the properties by which, beside its guid, a dataset's snapshots
// are known again.
var stamps = []string{"snapshots_changed", "origin"}

// recall reads datasets with properties, and the snapshots of those of which
// something may have changed since the last look. Asked says that it did; it
// does not where ZFS does not know snapshots_changed (before 2.2), nor without
// zpool.
func (l *listing) recall(ctx context.Context) (asked bool, err error) {
	now := history.Now()
	book := history.New()
	if text, err := l.memory.Read(); err == nil {
		book, _ = history.Parse(text)
	}
	if book.Refused(now) {
		return false, nil
	}
	r := &recollection{listing: l, book: book, began: now, whole: l.fresh || !book.Certain(now)}
	loads, err := r.look(ctx)
	switch {
	case zfs.UnknownProperty(err):
		book.Refuse(now)
		l.keep(book)
		return false, nil
	case err != nil:
		return true, err
	case loads == nil:
		return false, nil
	}
	if r.whole {
		book.Begin(now)
	}
	if err := r.list(ctx, loads); err != nil {
		return true, err
	}
	l.keep(book)
	return true, nil
}

// keep writes a book. One that is not kept costs the next look some time.
func (l *listing) keep(book *history.Book) {
	if book.Changed() {
		if text := book.Text(); text != nil {
			l.memory.Write(text)
		}
	}
}

// recollection is one look at datasets of which something is known.
type recollection struct {
	*listing
	book  *history.Book
	began history.Clock
	whole bool // all snapshots are listed
	marks map[string][]dataset.Version
	gone  []string // what did not exist when it was to be listed
}

// look lists the datasets and the bookmarks, which move no snapshots_changed,
// and if need be all snapshots, too. Loads are nil where zpool cannot tell
// them.
func (r *recollection) look(ctx context.Context) (loads map[string]uint64, err error) {
	var wg sync.WaitGroup
	var errs [2]error
	r.versions = map[string][]dataset.Version{}
	wg.Go(func() {
		others := slices.DeleteFunc(slices.Clone(r.properties), func(p string) bool { return slices.Contains(stamps, p) })
		columns := slices.Concat(stamps, others)
		if r.bookmarks {
			r.datasets, r.marks, errs[0] = r.zfs.DatasetsAndBookmarks(ctx, r.roots, r.recursive, columns...)
			return
		}
		list, err := r.zfs.Datasets(ctx, r.roots, r.recursive, append([]string{"guid"}, columns...)...)
		r.datasets, errs[0] = list, zfs.Present(err)
	})
	wg.Go(func() {
		if r.whole {
			into := gatherInto(r.versions)
			r.gone, errs[1] = r.zfs.SnapshotsThere(ctx, r.roots, r.recursive, into.add)
			into.done()
		}
	})
	wg.Go(func() { loads, _ = r.zfs.Loads(ctx) })
	wg.Wait()
	return loads, once(errs[:])
}

// gatherer collects versions by dataset, without room to spare: there may be
// millions. Done is to be called after the last.
type gatherer struct {
	all  map[string][]dataset.Version
	last string
	some []dataset.Version // of last
}

func gatherInto(all map[string][]dataset.Version) *gatherer { return &gatherer{all: all} }

func (g *gatherer) add(ds string, v dataset.Version) error {
	if ds != g.last {
		g.done()
		g.last = ds
	}
	g.some = append(g.some, v)
	return nil
}

func (g *gatherer) done() {
	if len(g.some) > 0 {
		before := g.all[g.last]
		all := make([]dataset.Version, 0, len(before)+len(g.some))
		g.all[g.last] = append(append(all, before...), g.some...)
		g.some = g.some[:0]
	}
}

// fewChanged is one of how many datasets may have changed for their snapshots
// to be asked for by name. If more have, a list of all is faster.
const fewChanged = 3

// list asks for the snapshots of datasets that are not known, and notes them.
func (r *recollection) list(ctx context.Context, loads map[string]uint64) error {
	there := make(map[dataset.GUID]bool, len(r.datasets))
	var unknown []string
	for _, d := range r.datasets {
		guid, stamp, ok := stampOf(d, loads)
		there[guid] = true
		if r.whole {
			unknown = append(unknown, d.Name)
		} else if known, found := r.book.Find(guid, stamp); found && ok {
			r.versions[d.Name] = known
		} else {
			unknown = append(unknown, d.Name)
		}
	}
	r.book.Keep(there)
	if err := r.ask(ctx, unknown); err != nil {
		return err
	}
	r.note(unknown, loads)
	for ds, marks := range r.marks {
		all := append(append(make([]dataset.Version, 0, len(marks)+len(r.versions[ds])), r.versions[ds]...), marks...)
		dataset.Sort(all)
		r.versions[ds] = all
	}
	return nil
}

// ask lists the snapshots of some datasets, unless all have been.
func (r *recollection) ask(ctx context.Context, unknown []string) error {
	if len(unknown) == 0 {
		return nil
	}
	if !r.whole {
		listed := map[string][]dataset.Version{}
		roots, recursive := unknown, false
		if len(unknown) > len(r.datasets)/fewChanged {
			roots, recursive = r.roots, r.recursive
		}
		into := gatherInto(listed)
		gone, err := r.zfs.SnapshotsThere(ctx, roots, recursive, into.add)
		if err != nil {
			return err
		}
		into.done()
		r.gone = gone
		for _, ds := range unknown {
			r.versions[ds] = listed[ds]
		}
	}
	for _, ds := range unknown {
		dataset.Sort(r.versions[ds])
	}
	return nil
}

// note keeps what was listed, as of the names that the datasets had. It keeps
// nothing of those that were gone by then: such a dataset may be renamed back,
// and would be known to have no snapshots.
func (r *recollection) note(listed []string, loads map[string]uint64) {
	asked := make(map[string]bool, len(listed))
	for _, ds := range listed {
		asked[ds] = true
	}
	for _, d := range r.datasets {
		if guid, stamp, ok := stampOf(d, loads); ok && asked[d.Name] && !r.wasGone(d.Name) {
			r.book.Note(guid, stamp, r.began, r.versions[d.Name])
		}
	}
}

// wasGone reports whether a dataset, or a root above it, did not exist when
// snapshots were listed.
func (r *recollection) wasGone(ds string) bool {
	return slices.ContainsFunc(r.gone, func(name string) bool { return dataset.Within(ds, name) })
}

// stampOf is how a dataset is known again; ok is false if it cannot be. "-" is
// no time: a dataset that never had snapshots shows it, but so does every one
// if the kernel's module is older than zfs(8), or the pool cannot store the
// time (feature@extensible_dataset).
func stampOf(d zfs.Dataset, loads map[string]uint64) (guid dataset.GUID, s history.Stamp, ok bool) {
	guid, err := dataset.ParseGUID(d.Properties["guid"].Value)
	if err != nil {
		return 0, s, false
	}
	s.Load, s.Name = loads[dataset.Pool(d.Name)], sumOf(d.Name)
	if s.Changed, err = strconv.ParseInt(d.Properties["snapshots_changed"].Value, 10, 64); err != nil || s.Changed == 0 {
		return guid, s, false
	}
	if origin := d.Properties["origin"].Value; origin != "" && origin != "-" {
		s.Origin = sumOf(origin)
	}
	return guid, s, s.Load != 0
}

func sumOf(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}
