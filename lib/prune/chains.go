package prune

import (
	"cmp"
	"context"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Chain is a stream of several snapshots that began once. Until it has arrived
// its sender holds the one that it ends with, and holds the one that it starts
// from or has a bookmark of it.
type Chain struct{ From, To dataset.GUID }

// spareChains protects what lies between the ends of chains that are under way
// or broke: the receiver's newest snapshot is one of these, and so is the one
// that it has a part of. A hold and a bookmark at the beginning count alike: a
// sender that keeps holds also starts from a bookmark, after a dataset has left
// the job and come back.
func spareChains(ctx context.Context, z *zfs.ZFS, groups []Group, noted map[string][]Chain) error {
	var names []string
	var chains []pending
	for at := range groups {
		g := &groups[at]
		for _, c := range g.pending(noted[g.Dataset]) {
			chains = append(chains, c)
			names = append(names, g.name(c.to))
			if c.from >= 0 {
				names = append(names, g.name(c.from))
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return nil
	}
	tags, err := z.Holds(ctx, names)
	if err != nil {
		return err
	}
	var open []pending
	spans := map[*Group][]span{}
	for _, c := range chains {
		ends := tags[c.g.name(c.to)]
		c.tags = slices.DeleteFunc(slices.Clone(ends), func(tag string) bool { return !cursor.OfSender(tag) })
		begins := func(tag string) bool { return c.from >= 0 && slices.Contains(tags[c.g.name(c.from)], tag) }
		switch {
		case slices.ContainsFunc(c.tags, begins):
			spans[c.g] = append(spans[c.g], c.span(c.g.Snapshots[c.from].CreateTXG))
		case len(c.tags) > 0:
			open = append(open, c)
		}
	}
	if err := findBookmarks(ctx, z, open, spans); err != nil {
		return err
	}
	for g, list := range spans {
		g.spare(list)
	}
	return nil
}

// pending finds the ends of chains, each chain once. Clients decide how many
// have been noted, and notes are not removed when a chain has arrived.
func (g *Group) pending(chains []Chain) (out []pending) {
	if len(chains) == 0 {
		return nil
	}
	at := make(map[dataset.GUID]int, len(g.GUIDs))
	for i, guid := range g.GUIDs {
		at[guid] = i
	}
	seen := map[Chain]bool{}
	for _, c := range chains {
		if seen[c] {
			continue
		}
		seen[c] = true
		to, there := at[c.To]
		from, begins := at[c.From]
		if !begins {
			from = -1
		}
		if there {
			out = append(out, pending{Chain: c, g: g, from: from, to: to})
		}
	}
	return out
}

// begunSince leaves out of v what lies in chains that were noted after all was
// listed: pruning many datasets takes minutes, and a stream that begins and
// breaks meanwhile may end with a snapshot that is newer than the list.
func (o Options) begunSince(ctx context.Context, z *zfs.ZFS, v Victims, before map[string][]Chain) (Victims, error) {
	if o.Chains == nil {
		return v, nil
	}
	noted, err := o.Chains()
	if err != nil || slices.Equal(noted[v.Dataset], before[v.Dataset]) {
		return v, err
	}
	now, err := groups(ctx, z, []string{v.Dataset}, false, false)
	if err := zfs.Present(err); err != nil {
		return v, err
	}
	if err := spareChains(ctx, z, now, noted); err != nil {
		return v, err
	}
	spared := map[string]bool{}
	for _, g := range now {
		for _, s := range g.Snapshots {
			spared[s.Name] = s.Protected
		}
	}
	v.Shorts = slices.DeleteFunc(slices.Clone(v.Shorts), func(short string) bool { return spared[short] })
	return v, nil
}

// findBookmarks adds the spans of chains that start from a bookmark.
func findBookmarks(ctx context.Context, z *zfs.ZFS, chains []pending, spans map[*Group][]span) error {
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
			if txg, ok := marks[c.g.Dataset+"#"+cursor.Bookmark(tag, c.From)]; ok {
				spans[c.g] = append(spans[c.g], c.span(txg))
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

// span is what lies between two transaction groups, without these.
type span struct{ first, last uint64 }

func (c pending) span(first uint64) span { return span{first, c.g.Snapshots[c.to].CreateTXG} }

// spare protects the snapshots in any of the spans.
func (g *Group) spare(spans []span) {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	order := make([]int, len(g.Snapshots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(g.Snapshots[a].CreateTXG, g.Snapshots[b].CreateTXG)
	})
	var last uint64 // the latest end of those spans that have begun
	for _, i := range order {
		s := &g.Snapshots[i]
		for ; len(spans) > 0 && spans[0].first < s.CreateTXG; spans = spans[1:] {
			last = max(last, spans[0].last)
		}
		if s.CreateTXG < last {
			s.Protected = true
		}
	}
}

func (g Group) name(i int) string { return g.Dataset + "@" + g.Snapshots[i].Name }
