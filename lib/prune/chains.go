package prune

import (
	"context"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Chain is a stream of several snapshots that began once. Its sender holds the
// one that it starts from and the one that it ends with until it has arrived.
type Chain struct{ From, To dataset.GUID }

// spareChains protects what lies between the ends of chains that are still
// held: if the link broke, the receiver's newest snapshot is one of these, and
// so is the one that it has a part of.
func (o Options) spareChains(ctx context.Context, z *zfs.ZFS, groups []Group) error {
	var names []string
	var chains []pending
	for at := range groups {
		g := &groups[at]
		for _, c := range o.Chains[g.Dataset] {
			from, to := slices.Index(g.GUIDs, c.From), slices.Index(g.GUIDs, c.To)
			if from >= 0 && to >= 0 && g.Snapshots[from].CreateTXG < g.Snapshots[to].CreateTXG {
				chains = append(chains, pending{g, from, to})
				names = append(names, g.name(from), g.name(to))
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	tags, err := z.Holds(ctx, names)
	if err != nil {
		return err
	}
	for _, c := range chains {
		if slices.ContainsFunc(tags[c.g.name(c.from)], func(tag string) bool {
			return isCursor(tag) && slices.Contains(tags[c.g.name(c.to)], tag)
		}) {
			c.spare()
		}
	}
	return nil
}

// pending is a chain in a group, by the places of its ends.
type pending struct {
	g        *Group
	from, to int
}

func (c pending) spare() {
	first, last := c.g.Snapshots[c.from].CreateTXG, c.g.Snapshots[c.to].CreateTXG
	for i := range c.g.Snapshots {
		if s := &c.g.Snapshots[i]; s.CreateTXG > first && s.CreateTXG < last {
			s.Protected = true
		}
	}
}

func (g Group) name(i int) string { return g.Dataset + "@" + g.Snapshots[i].Name }
