package endpoint

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// checkRoom refuses to set aside a copy if the job's limits do not allow a new one,
// and the new ones of what was set aside before and that are still to come.
func (a *setAside) checkRoom(ctx context.Context) error {
	awaited := 0
	if l := a.r.Limits; l.Datasets > 0 || l.Snapshots > 0 {
		var err error
		if awaited, err = a.r.awaitedAnew(ctx); err != nil {
			return fmt.Errorf("cannot count what is to come: %w", err)
		}
	}
	more := transferred{datasets: len(a.all) + awaited, snapshots: max(len(a.copies), 1) + awaited}
	err := a.r.checkLimits(ctx, a.name, more)
	if err != nil && awaited > 0 {
		return fmt.Errorf("%w, and %d are to come in the place of what was set aside", err, awaited)
	}
	return err
}

// awaitedAnew counts the datasets that were set aside and have no new copy yet.
func (r *Receiver) awaitedAnew(ctx context.Context) (n int, err error) {
	beside, err := AsidesBeside(ctx, r.ZFS, r.Roots)
	if err != nil {
		return 0, err
	}
	there, likely := map[string]bool{}, []string{}
	o := zfs.ListOptions{Types: []string{"filesystem", "volume"}, Roots: slices.Concat(r.Roots, slices.Collect(maps.Keys(beside))), Recursive: true}
	err = r.ZFS.List(ctx, o, func(f []string) error {
		name := strings.Clone(f[0])
		if there[name] = true; len(dataset.AsideAbove(name)) > 0 {
			likely = append(likely, name)
		}
		return nil
	})
	if err := zfs.Present(err); err != nil {
		return 0, err
	}
	found, err := Asides(ctx, r.ZFS, likely)
	if err != nil {
		return 0, err
	}
	for name := range there {
		up := asides(found).above(name)
		if up != "" && !there[found[up]+strings.TrimPrefix(name, up)] {
			n++
		}
	}
	return n, nil
}
