package zfs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/property"
)

// Selected says of each filesystem and volume of roots (all there are without
// roots, those below too with recursive) whether a selector chooses it. It
// costs one command, and one more if something above the roots has the
// property; both twice if somebody changes it meanwhile. Roots that do not
// exist are left out.
//
// It decides about all of them or fails: a dataset about which it cannot be
// said must not look like one that is not chosen.
func (z *ZFS) Selected(ctx context.Context, roots []string, recursive bool, s property.Selector) (map[string]property.Choice, error) {
	choices, err := z.selected(ctx, roots, recursive, s)
	if errors.Is(err, property.ErrMoved) {
		return z.selected(ctx, roots, recursive, s)
	}
	return choices, err
}

func (z *ZFS) selected(ctx context.Context, roots []string, recursive bool, s property.Selector) (map[string]property.Choice, error) {
	list, err := z.Datasets(ctx, roots, recursive, s.Name)
	if err := Present(err); err != nil {
		return nil, fmt.Errorf("cannot read property %q: %w", s.Name, err)
	}
	seen := settingsOf(list, s.Name)
	above, err := z.origins(ctx, s.Name, seen)
	if err != nil {
		return nil, fmt.Errorf("cannot read property %q: %w", s.Name, err)
	}
	choices := make(map[string]property.Choice, len(seen))
	for name, own := range seen {
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

// origins looks up the datasets that values are inherited from and that were
// not seen: they are above the roots.
func (z *ZFS) origins(ctx context.Context, name string, seen map[string]property.Setting) (map[string]property.Setting, error) {
	var unseen []string
	for _, own := range seen {
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
