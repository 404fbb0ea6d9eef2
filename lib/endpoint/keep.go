package endpoint

import (
	"context"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Pace says when it is time to keep bases as bookmarks. Each costs a
// transaction group, so that this is done now and then.
type Pace interface {
	Due() bool
	Done() // bases are being kept
}

// keep makes bookmarks of what was the base until now. Those that are to be
// forgotten go before, so that a user who may only make bookmarks piles up none.
// A bookmark that cannot be made is not needed: nothing else fails for it. Made
// are the datasets that were dealt with.
func keep(ctx context.Context, z *zfs.ZFS, tag string, in transfer.Holds, bad transfer.Problems) (made map[string]bool) {
	made = map[string]bool{}
	old := map[string][]string{}
	for _, s := range in.Forget {
		if cursor.IsKept(tag, s.Name) {
			old[s.Dataset] = append(old[s.Dataset], s.Name)
		}
	}
	snaps := good(in.Keep, bad)
	atOnce(snaps, func(s transfer.Snap) error {
		for _, name := range old[s.Dataset] {
			if err := z.DestroyBookmark(ctx, s.Dataset, name); err != nil {
				return err
			}
		}
		return z.Bookmark(ctx, s.Dataset, s.Name, cursor.Kept(tag, s.GUID))
	})
	for _, s := range snaps {
		made[s.Dataset] = true
	}
	return made
}
