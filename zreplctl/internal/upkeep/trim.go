package upkeep

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// mostHeld is how many snapshots of a dataset a sink's client may keep by its
// holds that the policy would destroy: the one that both sides have, and the
// one before while the hold moves.
const mostHeld = 2

// trim releases a client's holds on all but the newest mostHeld of the
// snapshots that only holds have kept. The next run prunes these.
func (u *Upkeep) trim(ctx context.Context, held []string) error {
	if u.Job.Type != config.PushSink || u.DryRun || ctx.Err() != nil {
		return nil
	}
	perDataset := map[string][]string{}
	for _, name := range held {
		ds, _, _ := dataset.Split(name)
		perDataset[ds] = append(perDataset[ds], name)
	}
	maps.DeleteFunc(perDataset, func(_ string, names []string) bool { return len(names) <= mostHeld })
	if len(perDataset) == 0 {
		return nil
	}
	tag := cursor.LastTag(u.Job.Name)
	var some []string
	for _, ds := range slices.Sorted(maps.Keys(perDataset)) {
		some = append(some, perDataset[ds]...)
	}
	tags, err := u.ZFS.Holds(ctx, some)
	if err != nil {
		return fmt.Errorf("cannot find out who holds snapshots: %w", err)
	}
	theirs := map[string][]dataset.Version{}
	err = u.ZFS.Snapshots(ctx, slices.Sorted(maps.Keys(perDataset)), false, func(ds string, v dataset.Version) error {
		if slices.Contains(tags[v.Full(ds)], tag) {
			theirs[ds] = append(theirs[ds], v)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot list held snapshots: %w", err)
	}
	return u.releaseOldest(ctx, tag, theirs)
}

func (u *Upkeep) releaseOldest(ctx context.Context, tag string, theirs map[string][]dataset.Version) error {
	var names []string
	for _, ds := range slices.Sorted(maps.Keys(theirs)) {
		all := theirs[ds]
		slices.SortFunc(all, func(a, b dataset.Version) int { return cmp.Compare(a.CreateTXG, b.CreateTXG) })
		for _, v := range all[:max(len(all)-mostHeld, 0)] {
			names = append(names, v.Full(ds))
		}
	}
	if len(names) == 0 {
		return nil
	}
	bad, err := u.ZFS.Release(ctx, tag, names)
	for name, problem := range bad {
		u.warn(fmt.Sprintf("cannot release the client's hold on %q: %v", name, problem))
	}
	if err != nil {
		return fmt.Errorf("cannot release a client's holds: %w", err)
	}
	u.warn(fmt.Sprintf("the client held more than %d snapshots of a dataset that the policy would destroy: released %d holds, the first on %q",
		mostHeld, len(names)-len(bad), names[0]))
	return nil
}
