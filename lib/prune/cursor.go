package prune

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// NeedsCursor reports whether a policy asks what has been replicated.
func NeedsCursor(p *retention.Policy) bool {
	return slices.ContainsFunc(p.Rules(), func(r retention.Rule) bool { return r == retention.NotReplicated() })
}

// Partners are those to whom a side sends, by the tags of their cursors.
type Partners struct {
	Tags   []string // a partner that has no cursor on a dataset has nothing of it
	Others bool     // and all others that have a cursor there
	// Bookmarks says that what the Tags' partners have is kept as bookmarks: a
	// hold beside one is on what is being sent.
	Bookmarks bool
	// Sends reports whether the Tags' partners are sent a snapshot of this name;
	// nil: they are sent all. Nobody waits until one is replicated that is not,
	// once a partner has anything of the dataset: before that it may be a slip.
	Sends func(name string) bool
	// Newest says that of these they are sent only the newest one: nobody waits
	// for those that are older.
	Newest bool
}

// leftOut returns what reports whether the Tags' partners never get a snapshot
// of a dataset.
func (p Partners) leftOut(g Group) func(i int) bool {
	sends := func(i int) bool { return p.Sends == nil || p.Sends(g.Snapshots[i].Name) }
	newest := uint64(0) // of those that they are sent
	for i := range g.Snapshots {
		if p.Newest && sends(i) {
			newest = max(newest, g.Snapshots[i].CreateTXG)
		}
	}
	return func(i int) bool { return !sends(i) || g.Snapshots[i].CreateTXG < newest }
}

// unsettled reports whether a hold of this tag may be on what is being sent
// although there is none on what was sent last.
func (p Partners) unsettled(tag string) bool { return p.Bookmarks || !slices.Contains(p.Tags, tag) }

func (p Partners) count(tag string) bool {
	return slices.Contains(p.Tags, tag) || p.Others && cursor.OfSender(tag)
}

// MarkReplicated sets Replicated of the snapshots that every partner has: up
// to its cursor, a hold, or a bookmark in its place. Without any cursor nothing
// counts as replicated. A snapshot that its partners are not sent only waits for
// the others, once all of them have begun. It costs two commands, or a few more if there are very
// many holds.
func MarkReplicated(ctx context.Context, z *zfs.ZFS, roots []string, recursive bool, groups []Group, p Partners) error {
	versions := map[string][]dataset.Version{}
	err := z.Histories(ctx, roots, recursive, func(ds string, v dataset.Version) error {
		if v.Kind == dataset.Bookmark {
			versions[ds] = append(versions[ds], v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var held []string
	for _, g := range groups {
		for _, s := range g.Snapshots {
			if s.Held {
				held = append(held, g.Dataset+"@"+s.Name)
			}
		}
	}
	tags, err := z.Holds(ctx, held)
	if err != nil {
		return err
	}
	for _, g := range groups {
		limit, unsent := replicatedTo(g, versions[g.Dataset], tags, p)
		leftOut := p.leftOut(g)
		for i := range g.Snapshots {
			to := limit
			if leftOut(i) {
				to = unsent
			}
			g.Snapshots[i].Replicated = g.Snapshots[i].CreateTXG <= to
		}
	}
	return nil
}

// replicatedTo is the createtxg up to which every partner has the snapshots, and
// up to which nobody waits for what the Tags' partners are not sent. A
// partner may have two holds, on what was sent last and on what is being
// sent: the older one counts. Of its bookmarks the newest one counts, if the
// partner has no hold or may have only one ahead of it.
func replicatedTo(g Group, versions []dataset.Version, tags map[string][]string, p Partners) (all, leftOut uint64) {
	holds, marks := map[string]uint64{}, map[string]uint64{}
	for _, s := range g.Snapshots {
		for _, tag := range tags[g.Dataset+"@"+s.Name] {
			if txg, ok := holds[tag]; p.count(tag) && (!ok || s.CreateTXG < txg) {
				holds[tag] = s.CreateTXG
			}
		}
	}
	for _, v := range versions {
		tag, ok := cursor.TagOf(v.Name)
		if ok && v.Kind == dataset.Bookmark && v.Name == cursor.Bookmark(tag, v.GUID) && p.count(tag) {
			marks[tag] = max(marks[tag], v.CreateTXG)
		}
	}
	for tag, txg := range holds {
		if mark, ok := marks[tag]; !ok || txg < mark || !p.unsettled(tag) {
			marks[tag] = txg
		}
	}
	var others uint64 = math.MaxUint64
	all = math.MaxUint64
	for _, tag := range p.Tags {
		all = min(all, marks[tag]) // 0: it has nothing
	}
	for tag, txg := range marks {
		if all = min(all, txg); !slices.Contains(p.Tags, tag) {
			others = min(others, txg)
		}
	}
	switch {
	case len(p.Tags)+len(marks) == 0:
		return 0, 0
	case all == 0, p.Others && others == math.MaxUint64: // another job may begin yet
		return all, all
	}
	return all, others
}

// markHeld sets Held of all snapshots of datasets. ZFS has to ask for each.
func markHeld(ctx context.Context, z *zfs.ZFS, names []string, groups []Group) error {
	holds := map[string]bool{}
	list := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "userrefs"}, Roots: names, Depth: 1}
	err := z.List(ctx, list, func(fields []string) error {
		if held(fields[1]) {
			holds[strings.Clone(fields[0])] = true
		}
		return nil
	})
	if err := zfs.Present(err); err != nil {
		return err
	}
	for _, g := range groups {
		for i := range g.Snapshots {
			g.Snapshots[i].Held = holds[g.Dataset+"@"+g.Snapshots[i].Name]
		}
	}
	return nil
}
