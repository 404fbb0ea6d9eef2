package endpoint

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// One zfs hold -r takes one transaction group, where the same holds one by one
// take as many as there are. It is used for subtrees in which every dataset
// that has a snapshot of that name is one of the request.
const (
	minTree      = 4 // fewer snapshots with one name are not worth the look at what is around them
	treesAtOnce  = 8
	denseFactor  = 4 // a subtree has at most so many datasets for each of the request,
	denseSurplus = 16
	// A client chooses the names in its requests: no more names than this are
	// looked at, those with the most snapshots first.
	maxGroups = 256
)

// tree is a dataset below which all that have a snapshot of one name belong to
// a request.
type tree struct {
	root, name string
	members    []transfer.Snap
}

// ground is what is known of the datasets around those of a request. What one
// group of snapshots costs depends on its own size, and not on how many
// datasets there are: a client may ask about thousands of groups.
type ground struct {
	known    map[string]bool     // datasets
	children map[string][]string // of each, and of what is above them
	below    map[string]int      // how many there are at and below each
	asked    map[groupKey]map[string]bool
	guids    map[string]dataset.GUID // of the snapshots that were asked about and are there
}

// learn takes the names of all datasets in.
func (g *ground) learn(names []string) {
	g.known, g.children, g.below = map[string]bool{}, map[string][]string{}, map[string]int{}
	for _, name := range names {
		g.known[name] = true
		above := dataset.Parent(name)
		g.children[above] = append(g.children[above], name)
		for ds := name; ds != ""; ds = dataset.Parent(ds) {
			g.below[ds]++
		}
	}
}

type groupKey struct{ pool, name string }

func keyOf(s transfer.Snap) groupKey { return groupKey{dataset.Pool(s.Dataset), s.Name} }

// grouped puts snapshots with one name in one pool together, in order.
func grouped(snaps []transfer.Snap) (keys []groupKey, groups map[groupKey][]transfer.Snap) {
	groups = map[groupKey][]transfer.Snap{}
	for _, s := range snaps {
		k := keyOf(s)
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], s)
	}
	return keys, groups
}

// survey looks at what is around the snapshots of a request, by two commands.
// It looks at nothing if too few have a name in common.
func survey(ctx context.Context, z *zfs.ZFS, lists ...[]transfer.Snap) (*ground, error) {
	g := &ground{}
	big := bigGroups(lists)
	if len(big) == 0 {
		return g, nil
	}
	var tops []string
	for _, group := range big {
		tops = append(tops, lowestAbove(group))
	}
	names, err := z.Names(ctx, outermost(tops, true))
	if err != nil {
		return nil, err
	}
	g.learn(names)
	g.guids, err = z.GUIDs(ctx, g.askAbout(big, tops))
	return g, err
}

// bigGroups are the groups that are worth a look.
func bigGroups(lists [][]transfer.Snap) (big [][]transfer.Snap) {
	for _, list := range lists {
		keys, groups := grouped(list)
		for _, k := range keys {
			if len(groups[k]) >= minTree {
				big = append(big, groups[k])
			}
		}
	}
	slices.SortStableFunc(big, func(a, b []transfer.Snap) int { return len(b) - len(a) })
	return big[:min(len(big), maxGroups)]
}

// askAbout notes which snapshots to look for, and returns their names.
func (g *ground) askAbout(groups [][]transfer.Snap, tops []string) (names []string) {
	g.asked = map[groupKey]map[string]bool{}
	for i, group := range groups {
		k := keyOf(group[0])
		if g.asked[k] == nil {
			g.asked[k] = map[string]bool{}
		}
		for _, ds := range g.near(tops[i], group) {
			if !g.asked[k][ds] {
				g.asked[k][ds] = true
				names = append(names, ds+"@"+k.name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// lowestAbove is the lowest dataset that all are, or are below.
func lowestAbove(snaps []transfer.Snap) string {
	root := snaps[0].Dataset
	for _, s := range snaps {
		for !dataset.Within(s.Dataset, root) {
			root = dataset.Parent(root)
		}
	}
	return root
}

// countUp counts a dataset at itself and at all that it is below, up to root.
func countUp(counts map[string]int, ds, root string) {
	for ; dataset.Within(ds, root); ds = dataset.Parent(ds) {
		counts[ds]++
	}
}

// near are the datasets of a group, and those in the subtrees below root that
// it mostly consists of.
func (g *ground) near(root string, group []transfer.Snap) (out []string) {
	members, ours := map[string]int{}, map[string]bool{}
	for _, s := range group {
		if !ours[s.Dataset] {
			ours[s.Dataset] = true
			countUp(members, s.Dataset, root)
		}
	}
	found := map[string]bool{}
	for ds, n := range members {
		if n < minTree || g.below[ds] > denseFactor*n+denseSurplus {
			continue
		}
		for open := []string{ds}; len(open) > 0; {
			next := open[len(open)-1]
			open = open[:len(open)-1]
			if !found[next] {
				found[next] = true
				open = append(open, g.children[next]...)
			}
		}
	}
	for ds := range ours {
		found[ds] = true
	}
	for ds := range found {
		if g.known[ds] {
			out = append(out, ds)
		}
	}
	return out
}

// trees finds the largest subtrees that snaps fill. The rest are those in no
// such subtree.
func (g *ground) trees(snaps []transfer.Snap) (trees []tree, rest []transfer.Snap) {
	keys, groups := grouped(snaps)
	for _, k := range keys {
		if len(groups[k]) < minTree {
			rest = append(rest, groups[k]...)
			continue
		}
		some, others := g.treesOf(k.name, groups[k])
		trees, rest = append(trees, some...), append(rest, others...)
	}
	return trees, rest
}

func (g *ground) treesOf(name string, group []transfer.Snap) (trees []tree, rest []transfer.Snap) {
	root := lowestAbove(group)
	sure := map[string]bool{} // datasets whose snapshot is the one that is meant
	for _, s := range group {
		sure[s.Dataset] = g.known[s.Dataset] && s.GUID != 0 && g.guids[s.Full()] == s.GUID
	}
	part := map[string]int{} // how many, at and below each, take part or have no such snapshot
	for ds := range g.asked[keyOf(group[0])] {
		if _, there := g.guids[ds+"@"+name]; sure[ds] || !there {
			countUp(part, ds, root)
		}
	}
	foreign := func(ds string) bool { return part[ds] != g.below[ds] }
	at := map[string]int{}
	for _, s := range group {
		if !sure[s.Dataset] || foreign(s.Dataset) {
			rest = append(rest, s)
			continue
		}
		top := s.Dataset
		for up := dataset.Parent(top); dataset.Within(up, root) && g.known[up] && !foreign(up); up = dataset.Parent(up) {
			top = up
		}
		i, ok := at[top]
		if !ok {
			i = len(trees)
			at[top] = i
			trees = append(trees, tree{root: top, name: name})
		}
		trees[i].members = append(trees[i].members, s)
	}
	whole := trees[:0]
	for _, t := range trees {
		if len(t.members) > 1 {
			whole = append(whole, t)
		} else {
			rest = append(rest, t.members...)
		}
	}
	return whole, rest
}

// hold holds snapshots, whole subtrees at once where it can.
func (g *ground) hold(ctx context.Context, z *zfs.ZFS, tag string, snaps []transfer.Snap) (map[string]error, error) {
	trees, rest := g.trees(snaps)
	done, left, err := eachTree(trees, func(t tree) error { return z.HoldTree(ctx, tag, t.root, t.name) })
	if err == nil {
		err = releaseOthers(ctx, z, tag, done)
	}
	if err != nil {
		return nil, err
	}
	return z.Hold(ctx, tag, fullNames(append(rest, left...)))
}

// release releases snapshots, whole subtrees at once where it can.
func (g *ground) release(ctx context.Context, z *zfs.ZFS, tag string, snaps []transfer.Snap) (map[string]error, error) {
	trees, rest := g.trees(snaps)
	_, left, err := eachTree(trees, func(t tree) error { return z.ReleaseTree(ctx, tag, t.root, t.name) })
	if err != nil {
		return nil, err
	}
	return z.Release(ctx, tag, fullNames(append(rest, left...)))
}

// eachTree does one thing with several trees at once. Left are the members of
// those where ZFS refused it: one by one each gets its own answer.
func eachTree(trees []tree, do func(tree) error) (done []tree, left []transfer.Snap, err error) {
	errs := make([]error, len(trees))
	var wg sync.WaitGroup
	turn := make(chan struct{}, treesAtOnce)
	for i, t := range trees {
		turn <- struct{}{}
		wg.Go(func() { errs[i] = do(t); <-turn })
	}
	wg.Wait()
	for i, t := range trees {
		var refused *zfs.Error
		switch {
		case errs[i] == nil:
			done = append(done, t)
		case errors.As(errs[i], &refused) && refused.Err == nil:
			left = append(left, t.members...)
		default:
			err = errs[i]
		}
	}
	return done, left, err
}

// releaseOthers takes the hold from what is not of the request: a dataset that
// came into a subtree, by zfs create or rename, or a snapshot that was taken,
// between the look and the hold. It had no such hold before, or ZFS would have
// refused the whole.
func releaseOthers(ctx context.Context, z *zfs.ZFS, tag string, held []tree) error {
	var roots []string
	ours, heldAt := map[string]bool{}, map[string][]string{}
	for _, t := range held {
		roots = append(roots, t.root)
		heldAt[t.root] = append(heldAt[t.root], t.name)
		for _, s := range t.members {
			ours[s.Full()] = true
		}
	}
	if len(roots) == 0 {
		return nil
	}
	now, err := z.Names(ctx, outermost(roots, true))
	if err != nil {
		return err
	}
	var undo []string
	for _, ds := range now {
		for up := ds; up != ""; up = dataset.Parent(up) {
			for _, name := range heldAt[up] {
				if full := ds + "@" + name; !ours[full] {
					undo = append(undo, full)
				}
			}
		}
	}
	if len(undo) == 0 {
		return nil
	}
	bad, err := z.Release(ctx, tag, undo)
	for _, why := range bad {
		err = errors.Join(err, why)
	}
	return err
}

func fullNames(snaps []transfer.Snap) []string { return names(snaps, nil) }
