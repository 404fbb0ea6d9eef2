package endpoint

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Protected is a hold or a cursor bookmark of some job.
type Protected struct {
	Name string // of the snapshot or the bookmark
	Tag  string
}

const ourTags = "zreplctl_"

// Protection lists the holds and cursor bookmarks of all jobs on this host,
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
	tags, err := z.Holds(ctx, held)
	if err != nil {
		return nil, err
	}
	for _, name := range held {
		for _, tag := range tags[name] {
			if strings.HasPrefix(tag, ourTags) {
				all = append(all, Protected{name, tag})
			}
		}
	}
	err = z.List(ctx, zfs.ListOptions{Types: []string{"bookmark"}}, func(f []string) error {
		_, _, short := dataset.Split(f[0])
		if tag, ok := cursorTagOf(short); ok {
			all = append(all, Protected{f[0], tag})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Protected) int { return strings.Compare(a.Name+a.Tag, b.Name+b.Tag) })
	return all, err
}

// cursorTagOf takes the guid off a cursor bookmark's name.
func cursorTagOf(bookmark string) (tag string, ok bool) {
	cut := len(bookmark) - guidDigits - 1
	if !strings.HasPrefix(bookmark, ourTags) || cut < len(ourTags) {
		return "", false
	}
	tag = bookmark[:cut]
	return tag, isCursor(tag, bookmark)
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
