package zfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/property"
)

// Selected says of each filesystem and volume of roots (all there are without
// roots, those below too with recursive) about which it is asked whether a
// selector chooses it. It costs one command, and one more if something above
// the roots has the property; both twice if somebody changes it meanwhile, and
// two more if a dataset about which nobody asks cannot be read. Roots that do
// not exist are left out.
//
// It decides about all of them or fails: a dataset about which it cannot be
// said must not look like one that is not chosen.
func (z *ZFS) Selected(ctx context.Context, roots []string, recursive bool, s property.Selector, asks func(name string) bool) (map[string]property.Choice, error) {
	choices, err := z.selected(ctx, roots, recursive, s, asks)
	if errors.Is(err, property.ErrMoved) {
		return z.selected(ctx, roots, recursive, s, asks)
	}
	return choices, err
}

func (z *ZFS) selected(ctx context.Context, roots []string, recursive bool, s property.Selector, asks func(name string) bool) (map[string]property.Choice, error) {
	list, err := z.Datasets(ctx, roots, recursive, s.Name)
	if err = Present(err); err != nil && recursive && ctx.Err() == nil {
		list, err = z.askedAlone(ctx, roots, s.Name, asks, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read property %q: %w", s.Name, err)
	}
	seen := settingsOf(list, s.Name)
	asked := maps.Clone(seen)
	maps.DeleteFunc(asked, func(name string, _ property.Setting) bool { return !asks(name) })
	above, err := z.origins(ctx, s.Name, seen, asked)
	if err != nil {
		return nil, fmt.Errorf("cannot read property %q: %w", s.Name, err)
	}
	choices := make(map[string]property.Choice, len(asked))
	for name, own := range asked {
		c, err := s.Judge(own, func(name string) (property.Setting, bool) {
			if set, ok := seen[name]; ok {
				return set, true
			}
			set, ok := above[name]
			return set, ok
		})
		if err != nil {
			return nil, fmt.Errorf("dataset %q: %w", name, err)
		}
		choices[name] = c
	}
	return choices, nil
}

// askedAlone reads the datasets below roots about which somebody asks, and no
// others, since the command for all of them has failed: one that cannot be read
// must not stop a job that leaves it out. It fails as that did if it would read
// the same.
func (z *ZFS) askedAlone(ctx context.Context, roots []string, name string, asks func(name string) bool, failed error) (list []Dataset, err error) {
	all, err := z.Names(ctx, roots)
	if err != nil {
		return nil, failed
	}
	names := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !asks(name) })
	if len(names) == len(all) {
		return nil, failed
	}
	for len(names) > 0 {
		n := FitArgs(names)
		some, err := z.Datasets(ctx, names[:n], false, name)
		if err := Present(err); err != nil {
			return nil, err
		}
		list, names = append(list, some...), names[n:]
	}
	return list, nil
}

// origins looks up the datasets that values are inherited from and that were
// not seen: they are above the roots, as a rule.
func (z *ZFS) origins(ctx context.Context, name string, seen, asked map[string]property.Setting) (map[string]property.Setting, error) {
	var unseen []string
	for _, own := range asked {
		if from := own.From(); from != "" {
			if _, ok := seen[from]; !ok {
				unseen = append(unseen, from)
			}
		}
	}
	if len(unseen) == 0 {
		return nil, nil
	}
	slices.Sort(unseen)
	list, err := z.Datasets(ctx, slices.Compact(unseen), false, name)
	return settingsOf(list, name), Present(err)
}

func settingsOf(list []Dataset, name string) map[string]property.Setting {
	all := make(map[string]property.Setting, len(list))
	for _, d := range list {
		p := d.Properties[name]
		all[d.Name] = property.Setting{Value: p.Value, Source: p.Source}
	}
	return all
}
