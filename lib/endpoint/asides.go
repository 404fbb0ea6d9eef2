package endpoint

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// asides are datasets that were set aside, each with the name that it had.
type asides map[string]string

// above is the dataset that was set aside and that a name is, or is below; empty:
// there is none.
func (a asides) above(name string) string {
	for _, up := range dataset.AsideAbove(name) {
		if a[up] != "" {
			return up
		}
	}
	return ""
}

// asideOf is the name that a dataset had before it was set aside; empty: it was
// not. It judges AsideProperty, which says the name that it got: one that has not
// got it yet is a copy, and one that a person has renamed is any dataset.
func asideOf(d zfs.Dataset) string {
	mark := d.Properties[AsideProperty]
	if of, ok := dataset.AsideOf(d.Name); ok && mark.Source == "local" && strings.TrimPrefix(mark.Value, asideBegun) == lastPart(d.Name) {
		return of
	}
	return ""
}

func asidesIn(list []zfs.Dataset) asides {
	all := asides{}
	for _, d := range list {
		if of := asideOf(d); of != "" {
			all[d.Name] = of
		}
	}
	return all
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// Asides returns which of some datasets, and of those above them, were set aside,
// each with the name that it had. It runs a command only if a name looks so.
func Asides(ctx context.Context, z *zfs.ZFS, names []string) (map[string]string, error) {
	var ask []string
	for _, name := range names {
		ask = append(ask, dataset.AsideAbove(name)...)
	}
	slices.Sort(ask)
	ask = slices.Compact(ask)
	all := asides{}
	for len(ask) > 0 {
		n := zfs.FitArgs(ask)
		list, err := z.Datasets(ctx, ask[:n], false, AsideProperty)
		if err := zfs.Present(err); err != nil {
			return nil, err
		}
		for name, of := range asidesIn(list) {
			all[name] = of
		}
		ask = ask[n:]
	}
	return all, nil
}

// AsidesBeside are the datasets that were set aside beside some others, in the
// same parents.
func AsidesBeside(ctx context.Context, z *zfs.ZFS, names []string) (map[string]string, error) {
	var parents, likely []string
	for _, name := range names {
		if up := dataset.Parent(name); up != "" && !slices.Contains(parents, up) {
			parents = append(parents, up)
		}
	}
	if len(parents) == 0 {
		return nil, nil
	}
	o := zfs.ListOptions{Types: []string{"filesystem", "volume"}, Roots: parents, Depth: 1}
	err := z.List(ctx, o, func(f []string) error {
		if of, ok := dataset.AsideOf(f[0]); ok && slices.Contains(names, of) {
			likely = append(likely, strings.Clone(f[0]))
		}
		return nil
	})
	if err := zfs.Present(err); err != nil {
		return nil, err
	}
	return Asides(ctx, z, likely)
}

// AsidesOf are the datasets that were set aside below some roots, and beside them.
func AsidesOf(ctx context.Context, z *zfs.ZFS, roots []string) (map[string]string, error) {
	var names []string
	o := zfs.ListOptions{Types: []string{"filesystem", "volume"}, Roots: roots, Recursive: true}
	err := z.List(ctx, o, func(f []string) error {
		if _, ok := dataset.AsideOf(f[0]); ok {
			names = append(names, strings.Clone(f[0]))
		}
		return nil
	})
	if err := zfs.Present(err); err != nil || len(roots) == 0 {
		return nil, err
	}
	all, err := Asides(ctx, z, names)
	if err != nil {
		return nil, err
	}
	beside, err := AsidesBeside(ctx, z, roots)
	maps.Copy(all, beside)
	return all, err
}

// besideRoots lists what was set aside beside the job's roots, which is not below
// any.
func (r *Receiver) besideRoots(ctx context.Context) (out []transfer.Dataset, err error) {
	if r.Below { // a root is never received
		return nil, nil
	}
	all, err := AsidesBeside(ctx, r.ZFS, r.Roots)
	for name, of := range all {
		if r.allowed(name) != nil {
			out = append(out, transfer.Dataset{Name: name, Aside: of})
		}
	}
	return out, err
}
