package endpoint

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// listing reads datasets with properties and, beside that, their versions,
// with a fixed number of commands however many there are.
type listing struct {
	zfs        *zfs.ZFS
	roots      []string
	recursive  bool
	properties []string
	tag        string                 // where set, the holds with this tag, too
	told       func(name string) bool // where set, the settings of these datasets, too
	bookmarks  bool                   // bookmarks, too
	memory     Memory                 // where set, what earlier looks saw
	fresh      bool                   // do not rely on it

	datasets []zfs.Dataset
	versions map[string][]dataset.Version
	held     map[string][]string // snapshots by dataset
	settings settings
}

func (l *listing) run(ctx context.Context) error {
	var wg sync.WaitGroup
	var errs [3]error
	wg.Go(func() { errs[0] = l.read(ctx) })
	if l.tag != "" {
		wg.Go(func() { errs[1] = l.findHeld(ctx) })
	}
	if l.told != nil {
		wg.Go(func() { l.settings, errs[2] = tell(ctx, l.zfs, l.roots, l.recursive, l.told) })
	}
	wg.Wait()
	return once(errs[:])
}

// read reads the datasets and their versions.
func (l *listing) read(ctx context.Context) error {
	if l.memory != nil && l.recursive {
		if asked, err := l.recall(ctx); asked || err != nil {
			return err
		}
	}
	l.versions = map[string][]dataset.Version{}
	list := l.zfs.Snapshots
	if l.bookmarks {
		list = l.zfs.Histories
	}
	var wg sync.WaitGroup
	var errs [2]error
	wg.Go(func() {
		list, err := l.zfs.Datasets(ctx, l.roots, l.recursive, l.properties...)
		l.datasets, errs[0] = list, zfs.Present(err)
	})
	wg.Go(func() {
		into := gatherInto(l.versions)
		errs[1] = list(ctx, l.roots, l.recursive, into.add)
		into.done()
	})
	wg.Wait()
	for _, vs := range l.versions {
		dataset.Sort(vs)
	}
	return once(errs[:])
}

// once joins errors in one line. Several commands often fail for one reason,
// which is told once.
func once(errs []error) error {
	var first error
	for _, err := range errs {
		switch {
		case err == nil:
		case first == nil:
			first = err
		case !strings.Contains(first.Error(), err.Error()):
			first = fmt.Errorf("%w; %w", first, err)
		}
	}
	return first
}

// findHeld looks for the holds under a tag: first which snapshots are held at
// all, by the slow way of asking for every single one, and then by whom.
func (l *listing) findHeld(ctx context.Context) error {
	var names []string
	o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "userrefs"}, Roots: l.roots, Recursive: l.recursive}
	if !l.recursive {
		o.Depth = 1
	}
	err := l.zfs.List(ctx, o, func(f []string) error {
		if n, err := strconv.ParseUint(f[1], 10, 64); err == nil && n > 0 {
			names = append(names, f[0])
		}
		return nil
	})
	if err := zfs.Present(err); err != nil {
		return err
	}
	holds, err := l.zfs.Holds(ctx, names)
	if err != nil {
		return err
	}
	l.held = map[string][]string{}
	for _, name := range names {
		if slices.Contains(holds[name], l.tag) {
			ds, _, short := dataset.Split(name)
			l.held[ds] = append(l.held[ds], short)
		}
	}
	return nil
}
