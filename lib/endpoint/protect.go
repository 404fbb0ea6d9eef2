package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// none is no problem.
var none transfer.Problem

// protect moves holds and cursor bookmarks. What is past goes meanwhile: each
// hold and each release waits for the disk, and both wait together.
func protect(ctx context.Context, z *zfs.ZFS, tag string, in transfer.Holds) (bad transfer.Problems, err error) {
	g := &ground{}
	if in.Together {
		if g, err = survey(ctx, z, in.Hold, in.Release, in.Past); err != nil {
			return nil, err
		}
	}
	past := transfer.Problems{}
	var perr error
	var wg sync.WaitGroup
	wg.Go(func() { perr = g.letGo(ctx, z, tag, in.Past, past) })
	bad, err = g.replace(ctx, z, tag, in)
	wg.Wait()
	if err = cmp.Or(err, perr); err != nil {
		return nil, err
	}
	for ds, problem := range past {
		bad[ds] = cmp.Or(bad[ds], problem)
	}
	return bad, nil
}

// replace puts new protection in place and then lets the old go. A dataset
// with a problem keeps all that it had: the chain is never without a link
// that both sides hold. If only a bookmark cannot be made, its snapshot stays
// held instead.
func (g *ground) replace(ctx context.Context, z *zfs.ZFS, tag string, in transfer.Holds) (transfer.Problems, error) {
	bad := transfer.Problems{}
	if in.Confirm {
		if err := g.confirm(ctx, z, in.Hold, bad); err != nil {
			return nil, err
		}
	}
	if err := g.confirm(ctx, z, slices.Concat(in.Bookmark, in.Keep), bad); err != nil { // its name is to tell the truth
		return nil, err
	}
	failed, err := g.hold(ctx, z, tag, good(in.Hold, bad))
	if err != nil {
		return nil, err
	}
	for _, s := range in.Hold {
		if err := failed[s.Full()]; err != nil {
			bad[s.Dataset] = transfer.ProblemOf(fmt.Errorf("cannot hold snapshot %q: %w", s.Full(), err))
		}
	}
	unmarked := bookmark(ctx, z, tag, in.Bookmark, bad)
	made := keep(ctx, z, tag, in, bad)
	stays := func(s transfer.Snap) bool { return unmarked[s] != none }
	if err := g.letGo(ctx, z, tag, slices.DeleteFunc(slices.Clone(in.Release), stays), bad); err != nil {
		return nil, err
	}
	for _, s := range in.Forget {
		if bad[s.Dataset] == none && !(made[s.Dataset] && cursor.IsKept(tag, s.Name)) {
			if err := z.DestroyBookmark(ctx, s.Dataset, s.Name); err != nil {
				bad[s.Dataset] = transfer.ProblemOf(err)
			}
		}
	}
	for s, problem := range unmarked {
		bad[s.Dataset] = cmp.Or(bad[s.Dataset], problem)
	}
	return bad, nil
}

// bookmarksAtOnce is how many zfs bookmark commands run at once: each takes one
// bookmark, and they share transaction groups.
const bookmarksAtOnce = 8

// bookmark makes cursor bookmarks of the snapshots of datasets without a
// problem. It returns those of which none can be made.
func bookmark(ctx context.Context, z *zfs.ZFS, tag string, snaps []transfer.Snap, bad transfer.Problems) (unmarked map[transfer.Snap]transfer.Problem) {
	snaps = good(snaps, bad)
	errs := atOnce(snaps, func(s transfer.Snap) error {
		return z.Bookmark(ctx, s.Dataset, s.Name, cursor.Bookmark(tag, s.GUID))
	})
	unmarked = map[transfer.Snap]transfer.Problem{}
	for i, s := range snaps {
		switch {
		case errs[i] == nil:
		case errors.Is(errs[i], fault.NoMark):
			unmarked[s] = transfer.ProblemOf(errs[i])
		default:
			bad[s.Dataset] = cmp.Or(bad[s.Dataset], transfer.ProblemOf(errs[i]))
		}
	}
	return unmarked
}

// atOnce does something with each snapshot, a few at once.
func atOnce(snaps []transfer.Snap, do func(transfer.Snap) error) []error {
	errs := make([]error, len(snaps))
	var wg sync.WaitGroup
	turn := make(chan struct{}, bookmarksAtOnce)
	for i, s := range snaps {
		turn <- struct{}{}
		wg.Go(func() { errs[i] = do(s); <-turn })
	}
	wg.Wait()
	return errs
}

// letGo releases the snapshots of datasets without a problem.
func (g *ground) letGo(ctx context.Context, z *zfs.ZFS, tag string, snaps []transfer.Snap, bad transfer.Problems) error {
	failed, err := g.release(ctx, z, tag, good(snaps, bad))
	for _, s := range snaps {
		if err := failed[s.Full()]; err != nil {
			bad[s.Dataset] = transfer.ProblemOf(fmt.Errorf("cannot release the hold of snapshot %q: %w", s.Full(), err))
		}
	}
	return err
}

// good are the snapshots of datasets without a problem.
func good(snaps []transfer.Snap, bad transfer.Problems) []transfer.Snap {
	var out []transfer.Snap
	for _, s := range snaps {
		if bad[s.Dataset] == none {
			out = append(out, s)
		}
	}
	return out
}

func names(snaps []transfer.Snap, bad transfer.Problems) []string {
	var out []string
	for _, s := range snaps {
		if bad[s.Dataset] == none {
			out = append(out, s.Full())
		}
	}
	return out
}

// confirm looks up what is there: the guid counts, not what zfs receive said.
func (g *ground) confirm(ctx context.Context, z *zfs.ZFS, snaps []transfer.Snap, bad transfer.Problems) error {
	var unknown []string
	for _, s := range snaps {
		if !g.asked[keyOf(s)][s.Dataset] {
			unknown = append(unknown, s.Full())
		}
	}
	guids, err := z.GUIDs(ctx, unknown)
	if err != nil {
		return err
	}
	maps.Copy(guids, g.guids)
	for _, s := range snaps {
		switch g, ok := guids[s.Full()]; {
		case !ok:
			bad[s.Dataset] = transfer.Problem{Text: fmt.Sprintf("snapshot %q is not there", s.Full()), Code: fault.Gone}
		case g != s.GUID:
			bad[s.Dataset] = transfer.Problem{Text: fmt.Sprintf("snapshot %q has guid %s, not %s", s.Full(), g, s.GUID)}
		}
	}
	return nil
}
