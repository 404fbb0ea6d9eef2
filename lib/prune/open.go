package prune

import (
	"cmp"
	"context"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// spareOpen protects what may lie in a chain of snapshots that a sender has
// begun, by what ZFS says alone: notes of chains may be lost, or be another
// user's, and a dataset may have been renamed since. A sender holds what a
// chain ends with. From there back to the version before it that bears the same
// tag, as a hold or as a bookmark, the receiver may have any as its newest.
//
// It looks at datasets from which anything would go, and costs a list of these
// and a look at what is held, and a list of bookmarks if something is open.
func (o Options) spareOpen(ctx context.Context, z *zfs.ZFS, groups []Group) error {
	pruned := map[string]bool{}
	o.candidates(groups, func(g Group, i int) {
		if base := o.base(g); base == 0 || g.Snapshots[i].CreateTXG > base { // nothing older is under way
			pruned[g.Dataset] = true
		}
	})
	var some []*Group
	for i := range groups {
		if pruned[groups[i].Dataset] {
			some = append(some, &groups[i])
		}
	}
	tags, err := heldBy(ctx, z, some)
	if err != nil {
		return err
	}
	var open []anchored
	for _, g := range some {
		if a := o.anchored(g, tags); len(a.ends) > 0 {
			open = append(open, a)
		}
	}
	if err := addBookmarks(ctx, z, open); err != nil {
		return err
	}
	for _, a := range open {
		a.g.spare(a.spans())
	}
	return nil
}

// anchored is a dataset with its versions that bear the tags of senders.
type anchored struct {
	g    *Group
	ends map[string][]uint64 // the createtxgs of holds that may be the ends of chains, by tag
	all  map[string][]uint64 // and those of all that bear the tag
}

// anchored finds the holds of senders on g. A hold on what has arrived, by the
// receiver's word, is no end.
func (o Options) anchored(g *Group, tags map[string][]string) anchored {
	a := anchored{g, map[string][]uint64{}, map[string][]uint64{}}
	for i, s := range g.Snapshots {
		if !s.Held {
			continue
		}
		for _, tag := range tags[g.name(i)] {
			if !cursor.OfSender(tag) {
				continue
			}
			a.all[tag] = append(a.all[tag], s.CreateTXG)
			if o.HasArrived == nil || !o.HasArrived(tag, g.Dataset, g.GUIDs[i]) {
				a.ends[tag] = append(a.ends[tag], s.CreateTXG)
			}
		}
	}
	return a
}

// spans are from each end back to the version before it.
func (a anchored) spans() (out []span) {
	for tag, ends := range a.ends {
		for _, end := range ends {
			first, found := uint64(0), false
			for _, txg := range a.all[tag] {
				if txg < end && (!found || txg > first) {
					first, found = txg, true
				}
			}
			if found { // or it is a first stream, of which the receiver has no snapshot
				out = append(out, span{first, end})
			}
		}
	}
	return out
}

// heldBy marks what is held of groups, and returns the tags by full name.
func heldBy(ctx context.Context, z *zfs.ZFS, groups []*Group) (map[string][]string, error) {
	var names, heldNames []string
	var batch []Group
	for _, g := range groups {
		names, batch = append(names, g.Dataset), append(batch, *g)
	}
	for len(names) > 0 {
		n := zfs.FitArgs(names)
		if err := markHeld(ctx, z, names[:n], batch[:n]); err != nil {
			return nil, err
		}
		names, batch = names[n:], batch[n:]
	}
	for _, g := range groups {
		for i, s := range g.Snapshots {
			if s.Held {
				heldNames = append(heldNames, g.name(i))
			}
		}
	}
	if len(heldNames) == 0 {
		return nil, nil
	}
	return z.Holds(ctx, heldNames)
}

// addBookmarks adds the cursor bookmarks of datasets with an open end.
func addBookmarks(ctx context.Context, z *zfs.ZFS, open []anchored) error {
	slices.SortFunc(open, func(a, b anchored) int { return cmp.Compare(a.g.Dataset, b.g.Dataset) })
	at, names := map[string]anchored{}, []string(nil)
	for _, a := range open {
		at[a.g.Dataset], names = a, append(names, a.g.Dataset)
	}
	for len(names) > 0 {
		n := zfs.FitArgs(names)
		err := z.Histories(ctx, names[:n], false, func(ds string, v dataset.Version) error {
			tag, ok := cursor.TagOf(v.Name)
			if a, there := at[ds]; there && ok && v.Kind == dataset.Bookmark && v.Name == cursor.Bookmark(tag, v.GUID) {
				a.all[tag] = append(a.all[tag], v.CreateTXG)
			}
			return nil
		})
		if err := zfs.Present(err); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}
