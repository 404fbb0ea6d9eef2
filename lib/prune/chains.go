package prune

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Chain is a stream of several snapshots that began once. Until it has arrived
// its sender holds the one that it ends with, and holds the one that it starts
// from or has a bookmark of it.
type Chain struct {
	From, To dataset.GUID
	Bookmark bool // the sender keeps bookmarks of what has arrived, and no holds
}

// spareChains protects what lies between the ends of chains that are under way
// or broke: the receiver's newest snapshot is one of these, and so is the one
// that it has a part of.
func (o Options) spareChains(ctx context.Context, z *zfs.ZFS, groups []Group) error {
	var names []string
	var chains []pending
	for at := range groups {
		g := &groups[at]
		for _, c := range o.Chains[g.Dataset] {
			from, to := slices.Index(g.GUIDs, c.From), slices.Index(g.GUIDs, c.To)
			if to < 0 || from < 0 && !c.Bookmark {
				continue
			}
			chains = append(chains, pending{Chain: c, g: g, from: from, to: to})
			names = append(names, g.name(to))
			if from >= 0 {
				names = append(names, g.name(from))
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
	var open []pending
	for _, c := range chains {
		ends := tags[c.g.name(c.to)]
		cursors := slices.DeleteFunc(slices.Clone(ends), func(tag string) bool { return !isCursor(tag) })
		begins := func(tag string) bool { return c.from >= 0 && slices.Contains(tags[c.g.name(c.from)], tag) }
		switch {
		case slices.ContainsFunc(cursors, begins):
			c.spare(c.g.Snapshots[c.from].CreateTXG)
		case c.Bookmark && len(cursors) > 0:
			c.tags = cursors
			open = append(open, c)
		}
	}
	return spareFromBookmarks(ctx, z, open)
}

// spareFromBookmarks does it for chains that start from a bookmark.
func spareFromBookmarks(ctx context.Context, z *zfs.ZFS, chains []pending) error {
	if len(chains) == 0 {
		return nil
	}
	var names []string
	for _, c := range chains {
		names = append(names, c.g.Dataset)
	}
	slices.Sort(names)
	marks := map[string]uint64{} // their createtxg
	err := z.Histories(ctx, slices.Compact(names), false, func(ds string, v dataset.Version) error {
		if v.Kind == dataset.Bookmark {
			marks[ds+"#"+v.Name] = v.CreateTXG
		}
		return nil
	})
	if err := zfs.Present(err); err != nil {
		return err
	}
	for _, c := range chains {
		for _, tag := range c.tags {
			if txg, ok := marks[fmt.Sprintf("%s#%s_%016x", c.g.Dataset, tag, uint64(c.From))]; ok {
				c.spare(txg)
			}
		}
	}
	return nil
}

// pending is a chain in a group, by the places of its ends. From is -1 if that
// snapshot is gone.
type pending struct {
	Chain
	g        *Group
	from, to int
	tags     []string // cursors' that hold its end
}

// spare protects what is newer than first and older than the end.
func (c pending) spare(first uint64) {
	last := c.g.Snapshots[c.to].CreateTXG
	for i := range c.g.Snapshots {
		if s := &c.g.Snapshots[i]; s.CreateTXG > first && s.CreateTXG < last {
			s.Protected = true
		}
	}
}

func (g Group) name(i int) string { return g.Dataset + "@" + g.Snapshots[i].Name }
