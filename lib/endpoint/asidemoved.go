package endpoint

import (
	"context"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// AsidesMoved are the datasets at and below some roots that were set aside, were
// renamed by a person since, and have no hold with the tag, also below them: nothing
// was received since. They are no copies, and a person may have kept them so.
func AsidesMoved(ctx context.Context, z *zfs.ZFS, tag string, roots []string) (moved []string, err error) {
	list, err := z.Datasets(ctx, roots, true, AsideProperty)
	if err := zfs.Present(err); err != nil {
		return nil, err
	}
	for _, d := range list {
		mark := d.Properties[AsideProperty]
		if mark.Source == "local" && !strings.HasPrefix(mark.Value, asideBegun) && asideOf(d) == "" {
			moved = append(moved, d.Name)
		}
	}
	if len(moved) == 0 {
		return nil, nil
	}
	names, err := Held(ctx, z, moved, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	holds, err := z.Holds(ctx, names)
	for _, name := range names {
		if slices.Contains(holds[name], tag) {
			ds, _, _ := dataset.Split(name)
			moved = slices.DeleteFunc(moved, func(top string) bool { return dataset.Within(ds, top) })
		}
	}
	return moved, err
}
