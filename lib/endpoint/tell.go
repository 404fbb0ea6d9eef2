package endpoint

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// settings are what datasets have set themselves or received: which
// properties, and their values as far as they could be read.
type settings struct {
	names  map[string][]string
	values map[string]map[string]zfs.Property
}

// tell reads the settings of datasets, with two commands: the names come
// without values, so that no value can pretend to be a name.
func tell(ctx context.Context, z *zfs.ZFS, roots []string, recursive bool, pass func(string) bool) (s settings, err error) {
	s.names, err = z.SettingNames(ctx, roots, recursive)
	if err = zfs.Present(err); err != nil {
		return s, err
	}
	known := map[string]bool{}
	for ds, names := range s.names {
		if !pass(ds) {
			delete(s.names, ds)
			continue
		}
		s.names[ds] = slices.DeleteFunc(names, func(name string) bool { return property.Check(name) != nil })
		for _, name := range s.names[ds] {
			known[name] = true
		}
	}
	all := slices.SortedFunc(maps.Keys(known), byKind)
	if all = all[:zfs.FitNames(all)]; len(all) == 0 {
		return s, nil
	}
	s.values, err = z.Settings(ctx, roots, recursive, all)
	return s, zfs.Present(err)
}

// byKind orders ZFS's own properties before those of users.
func byKind(a, b string) int {
	ua, ub := strings.Contains(a, ":"), strings.Contains(b, ":")
	switch {
	case ua == ub:
		return strings.Compare(a, b)
	case ub:
		return -1
	}
	return 1
}

// of is what is told of one dataset. A value with a line break, or more than
// is taken of one dataset, is left out.
func (s settings) of(ds string) transfer.Properties {
	p := transfer.Properties{Set: map[string]string{}}
	left := property.MaxTotal
	for _, name := range slices.SortedFunc(slices.Values(s.names[ds]), byKind) {
		value, ok := s.values[ds][name]
		size := len(name) + len(value.Value)
		switch {
		case ok && property.CheckValue(value.Value) == nil && size <= left && len(p.Set) < property.MaxCount:
			p.Set[name] = value.Value
			left -= size
		case len(p.Untold) < property.MaxCount:
			p.Untold = append(p.Untold, name)
		}
	}
	p.Sum = property.SumOf(p.Set, p.Untold)
	return p
}
