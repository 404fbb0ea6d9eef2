package snap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// found is a dataset that may get a snapshot.
type found struct {
	written  uint64 // bytes since its last snapshot of any kind
	last     uint64 // createtxg of the newest snapshot that matches; 0: none
	taken    int64  // when that was created
	foreign  uint64 // bytes written between it and the last of any kind
	listed   bool   // as a dataset, not only by its snapshots
	versions []version
}

type version struct {
	txg, written uint64
	creation     int64
	matches      bool
}

// listing reports whether the datasets have to be listed before they can be
// given snapshots, or, in a dry run, to know that they could.
func (o *Options) listing() bool {
	return o.Recursive || o.Passes != nil || o.IfOlder > 0 || o.IfWritten || o.DryRun
}

// choose returns the datasets that are due, each once, in order.
func (r *run) choose(ctx context.Context, datasets []string) ([]string, error) {
	if !r.o.listing() {
		return unique(datasets), nil
	}
	all := map[string]*found{}
	var order []string
	for roots := unique(datasets); len(roots) > 0; {
		n := zfs.FitArgs(roots)
		err := r.z.List(ctx, r.listOptions(roots[:n]), func(fields []string) error {
			return r.note(fields, all, &order)
		})
		missing, only := zfs.Missing(err)
		if err != nil && !only {
			return nil, fmt.Errorf("cannot list datasets: %w", err)
		}
		for _, name := range missing {
			r.fail(name, errors.New("dataset does not exist"))
		}
		for _, root := range roots[:n] {
			if all[root] == nil && !slices.Contains(missing, root) {
				r.fail(root, errors.New("zfs list does not list it"))
			}
		}
		roots = roots[n:]
	}
	var due []string
	for _, ds := range order {
		f := all[ds]
		if !f.listed || r.o.Passes != nil && !r.o.Passes(ds) {
			continue
		}
		if f.newest(); r.due(f) {
			due = append(due, ds)
		} else {
			r.result.Skipped++
		}
	}
	return due, nil
}

func (r *run) listOptions(roots []string) zfs.ListOptions {
	o := zfs.ListOptions{Types: []string{"filesystem", "volume"}, Roots: roots, Recursive: r.o.Recursive}
	if r.o.IfOlder > 0 || r.o.IfWritten {
		o.Types = append(o.Types, "snapshot")
		o.Columns = []string{"name", "creation", "createtxg"}
		if !r.o.Recursive {
			o.Depth = 1
		}
	}
	if r.o.IfWritten {
		o.Columns = append(o.Columns, "written")
	}
	return o
}

// note takes down one line of the list. A list to the depth of 1 also shows
// the datasets below, which were not asked for.
func (r *run) note(fields []string, all map[string]*found, order *[]string) error {
	ds, kind, short := dataset.Split(fields[0])
	f := all[ds]
	if f == nil {
		f = &found{}
		all[ds] = f
		*order = append(*order, ds)
	}
	v, err := numbers(fields)
	if err != nil {
		return err
	}
	if kind == 0 {
		f.listed = r.o.Recursive || r.asked[ds]
		f.written = v.written
		return nil
	}
	v.matches = strings.HasPrefix(short, r.o.Prefix)
	f.versions = append(f.versions, v)
	return nil
}

func numbers(fields []string) (v version, err error) {
	if len(fields) > 1 {
		v.creation, err = zfs.Creation(fields[1])
	}
	if len(fields) > 2 && err == nil {
		v.txg, err = strconv.ParseUint(fields[2], 10, 64)
	}
	if len(fields) > 3 && err == nil && fields[3] != "-" {
		v.written, err = strconv.ParseUint(fields[3], 10, 64)
	}
	if err != nil {
		return v, fmt.Errorf("zfs list: %q: not a number: %w", fields[0], err)
	}
	return v, nil
}

// newest goes by createtxg: the clock may have stepped back since.
func (f *found) newest() {
	for _, v := range f.versions {
		if v.matches && v.txg > f.last {
			f.last, f.taken = v.txg, v.creation
		}
	}
	for _, v := range f.versions {
		if v.txg > f.last {
			f.foreign += v.written
		}
	}
}

// due reports whether a dataset gets a snapshot now. A newest snapshot from
// the future is no recent one, or a clock set back would stop them for good.
func (r *run) due(f *found) bool {
	if f.last == 0 {
		return true
	}
	age := r.now.Sub(time.Unix(f.taken, 0))
	if r.o.IfOlder > 0 && 0 <= age && age < r.o.IfOlder {
		return false
	}
	return !r.o.IfWritten || f.written+f.foreign > 0
}

func unique(names []string) []string {
	seen := make(map[string]bool, len(names))
	var once []string
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			once = append(once, name)
		}
	}
	return once
}
