package endpoint

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

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
// that both sides hold.
func (g *ground) replace(ctx context.Context, z *zfs.ZFS, tag string, in transfer.Holds) (transfer.Problems, error) {
	bad := transfer.Problems{}
	if in.Confirm {
		if err := g.confirm(ctx, z, in.Hold, bad); err != nil {
			return nil, err
		}
	}
	if err := g.confirm(ctx, z, in.Bookmark, bad); err != nil { // its name is to tell the truth
		return nil, err
	}
	failed, err := g.hold(ctx, z, tag, good(in.Hold, bad))
	if err != nil {
		return nil, err
	}
	for _, s := range in.Hold {
		if err := failed[s.Full()]; err != nil {
			bad[s.Dataset] = fmt.Sprintf("cannot hold snapshot %q: %v", s.Full(), err)
		}
	}
	bookmark(ctx, z, tag, in.Bookmark, bad)
	if err := g.letGo(ctx, z, tag, in.Release, bad); err != nil {
		return nil, err
	}
	for _, s := range in.Forget {
		if bad[s.Dataset] == "" {
			if err := z.DestroyBookmark(ctx, s.Dataset, s.Name); err != nil {
				bad[s.Dataset] = err.Error()
			}
		}
	}
	return bad, nil
}

// bookmarksAtOnce is how many zfs bookmark commands run at once: each takes one
// bookmark, and they share transaction groups.
const bookmarksAtOnce = 8

// bookmark makes cursor bookmarks of the snapshots of datasets without a
// problem.
func bookmark(ctx context.Context, z *zfs.ZFS, tag string, snaps []transfer.Snap, bad transfer.Problems) {
	snaps = good(snaps, bad)
	errs := make([]error, len(snaps))
	var wg sync.WaitGroup
	turn := make(chan struct{}, bookmarksAtOnce)
	for i, s := range snaps {
		turn <- struct{}{}
		wg.Go(func() { errs[i] = z.Bookmark(ctx, s.Dataset, s.Name, CursorBookmark(tag, s.GUID)); <-turn })
	}
	wg.Wait()
	for i, s := range snaps {
		if errs[i] != nil && bad[s.Dataset] == "" {
			bad[s.Dataset] = errs[i].Error()
		}
	}
}

// letGo releases the snapshots of datasets without a problem.
func (g *ground) letGo(ctx context.Context, z *zfs.ZFS, tag string, snaps []transfer.Snap, bad transfer.Problems) error {
	failed, err := g.release(ctx, z, tag, good(snaps, bad))
	for _, s := range snaps {
		if err := failed[s.Full()]; err != nil {
			bad[s.Dataset] = fmt.Sprintf("cannot release the hold of snapshot %q: %v", s.Full(), err)
		}
	}
	return err
}

// good are the snapshots of datasets without a problem.
func good(snaps []transfer.Snap, bad transfer.Problems) []transfer.Snap {
	var out []transfer.Snap
	for _, s := range snaps {
		if bad[s.Dataset] == "" {
			out = append(out, s)
		}
	}
	return out
}

func names(snaps []transfer.Snap, bad transfer.Problems) []string {
	var out []string
	for _, s := range snaps {
		if bad[s.Dataset] == "" {
			out = append(out, s.Full())
		}
	}
	return out
}

// confirm looks up what is there: the guid counts, not what zfs receive said.
func (g *ground) confirm(ctx context.Context, z *zfs.ZFS, snaps []transfer.Snap, bad transfer.Problems) error {
	var unknown []string
	for _, s := range snaps {
		if !g.asked[s.Full()] {
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
			bad[s.Dataset] = transfer.NotThere(s.Full())
		case g != s.GUID:
			bad[s.Dataset] = fmt.Sprintf("snapshot %q has guid %s, not %s", s.Full(), g, s.GUID)
		}
	}
	return nil
}
