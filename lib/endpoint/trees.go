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
)

// tree is a dataset below which all that have a snapshot of one name belong to
// a request.
type tree struct {
	root, name string
	members    []transfer.Snap
}

// ground is what is known of the datasets around those of a request.
type ground struct {
	names []string                // of datasets
	known map[string]bool         // names, as a set
	asked map[string]bool         // snapshots that were looked for
	guids map[string]dataset.GUID // of those that are there
}

type groupKey struct{ pool, name string }

// grouped puts snapshots with one name in one pool together, in order.
func grouped(snaps []transfer.Snap) (keys []groupKey, groups map[groupKey][]transfer.Snap) {
	groups = map[groupKey][]transfer.Snap{}
	for _, s := range snaps {
		k := groupKey{dataset.Pool(s.Dataset), s.Name}
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
	g := &ground{known: map[string]bool{}, asked: map[string]bool{}, guids: map[string]dataset.GUID{}}
	var big [][]transfer.Snap
	var tops []string
	for _, list := range lists {
		_, groups := grouped(list)
		for _, group := range groups {
			if len(group) >= minTree {
				big, tops = append(big, group), append(tops, lowestAbove(group))
			}
		}
	}
	if len(big) == 0 {
		return g, nil
	}
	var err error
	if g.names, err = z.Names(ctx, outermost(tops, true)); err != nil {
		return nil, err
	}
	for _, name := range g.names {
		g.known[name] = true
	}
	for i, group := range big {
		for _, ds := range g.near(tops[i], group) {
			g.asked[ds+"@"+group[0].Name] = true
		}
	}
	ask := make([]string, 0, len(g.asked))
	for name := range g.asked {
		ask = append(ask, name)
	}
	slices.Sort(ask)
	g.guids, err = z.GUIDs(ctx, ask)
	return g, err
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

// near are the datasets of a group, and those in the subtrees below root that
// it mostly consists of.
func (g *ground) near(root string, group []transfer.Snap) (out []string) {
	below, members, ours := map[string]int{}, map[string]int{}, map[string]bool{}
	count := func(counts map[string]int, ds string) {
		for ; dataset.Within(ds, root); ds = dataset.Parent(ds) {
			counts[ds]++
		}
	}
	for _, s := range group {
		if !ours[s.Dataset] {
			ours[s.Dataset] = true
			count(members, s.Dataset)
		}
	}
	for _, ds := range g.names {
		count(below, ds)
	}
	dense := func(ds string) bool {
		for ; dataset.Within(ds, root); ds = dataset.Parent(ds) {
			if n := members[ds]; n >= minTree && below[ds] <= denseFactor*n+denseSurplus {
				return true
			}
		}
		return false
	}
	for _, ds := range g.names {
		if dataset.Within(ds, root) && (ours[ds] || dense(ds)) {
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
	foreign := map[string]bool{} // datasets that are, or have below them, what does not take part
	for _, ds := range g.names {
		full := ds + "@" + name
		if _, there := g.guids[full]; sure[ds] || g.asked[full] && !there {
			continue
		}
		for ; dataset.Within(ds, root) && !foreign[ds]; ds = dataset.Parent(ds) {
			foreign[ds] = true
		}
	}
	at := map[string]int{}
	for _, s := range group {
		if !sure[s.Dataset] || foreign[s.Dataset] {
			rest = append(rest, s)
			continue
		}
		top := s.Dataset
		for up := dataset.Parent(top); dataset.Within(up, root) && g.known[up] && !foreign[up]; up = dataset.Parent(up) {
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
	ours := map[string]bool{}
	for _, t := range held {
		roots = append(roots, t.root)
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
	for _, t := range held {
		for _, ds := range now {
			if full := ds + "@" + t.name; dataset.Within(ds, t.root) && !ours[full] {
				undo = append(undo, full)
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
