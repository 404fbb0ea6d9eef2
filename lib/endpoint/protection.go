package endpoint

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Protected is a hold or a bookmark of some job.
type Protected struct {
	Name  string // of the snapshot or the bookmark
	Tag   string
	Since time.Time // of a hold; zero: it is not known
}

// Protection lists the holds and bookmarks of all jobs on this host,
// also of those that are in no configuration. It asks for every snapshot
// there is, which is slow.
func Protection(ctx context.Context, z *zfs.ZFS) ([]Protected, error) {
	var held []string
	var all []Protected
	err := z.List(ctx, zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "userrefs"}}, func(f []string) error {
		if n, err := strconv.ParseUint(f[1], 10, 64); err == nil && n > 0 {
			held = append(held, f[0])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	holds, err := z.HoldTimes(ctx, held)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		if cursor.Ours(h.Tag) {
			all = append(all, Protected{h.Snapshot, h.Tag, h.Since})
		}
	}
	err = z.List(ctx, zfs.ListOptions{Types: []string{"bookmark"}}, func(f []string) error {
		_, _, short := dataset.Split(f[0])
		if tag, ok := cursor.Owner(short); ok {
			all = append(all, Protected{Name: f[0], Tag: tag})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Protected) int { return strings.Compare(a.Name+a.Tag, b.Name+b.Tag) })
	return all, err
}

// Unprotect releases a hold or destroys a cursor bookmark.
func Unprotect(ctx context.Context, z *zfs.ZFS, p Protected) error {
	ds, kind, short := dataset.Split(p.Name)
	if kind == dataset.Bookmark {
		return z.DestroyBookmark(ctx, ds, short)
	}
	bad, err := z.Release(ctx, p.Tag, []string{p.Name})
	if err != nil {
		return err
	}
	return bad[p.Name]
}
