package endpoint

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// protect moves holds and cursor bookmarks. What is past goes meanwhile: each
// hold and each release waits for the disk, and both wait together.
func protect(ctx context.Context, z *zfs.ZFS, tag string, in transfer.Holds) (bad transfer.Problems, err error) {
	past := transfer.Problems{}
	var perr error
	var wg sync.WaitGroup
	wg.Go(func() { perr = release(ctx, z, tag, in.Past, past) })
	bad, err = replace(ctx, z, tag, in)
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
func replace(ctx context.Context, z *zfs.ZFS, tag string, in transfer.Holds) (transfer.Problems, error) {
	bad := transfer.Problems{}
	if in.Confirm {
		if err := confirm(ctx, z, in.Hold, bad); err != nil {
			return nil, err
		}
	}
	if err := confirm(ctx, z, in.Bookmark, bad); err != nil { // its name is to tell the truth
		return nil, err
	}
	failed, err := z.Hold(ctx, tag, names(in.Hold, bad))
	if err != nil {
		return nil, err
	}
	for _, s := range in.Hold {
		if err := failed[s.Full()]; err != nil {
			bad[s.Dataset] = fmt.Sprintf("cannot hold snapshot %q: %v", s.Full(), err)
		}
	}
	for _, s := range in.Bookmark {
		if bad[s.Dataset] == "" {
			if err := z.Bookmark(ctx, s.Dataset, s.Name, CursorBookmark(tag, s.GUID)); err != nil {
				bad[s.Dataset] = err.Error()
			}
		}
	}
	if err := release(ctx, z, tag, in.Release, bad); err != nil {
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

// release lets go of the snapshots of datasets without a problem.
func release(ctx context.Context, z *zfs.ZFS, tag string, snaps []transfer.Snap, bad transfer.Problems) error {
	failed, err := z.Release(ctx, tag, names(snaps, bad))
	for _, s := range snaps {
		if err := failed[s.Full()]; err != nil {
			bad[s.Dataset] = fmt.Sprintf("cannot release the hold of snapshot %q: %v", s.Full(), err)
		}
	}
	return err
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
func confirm(ctx context.Context, z *zfs.ZFS, snaps []transfer.Snap, bad transfer.Problems) error {
	if len(snaps) == 0 {
		return nil
	}
	guids, err := z.GUIDs(ctx, names(snaps, nil))
	if err != nil {
		return err
	}
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
