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

// OldHold is a hold that stands for long.
type OldHold struct {
	Snapshot string    `json:"snapshot"`
	Tag      string    `json:"tag"`
	Since    time.Time `json:"since"`
}

// OldHolds returns the holds with one of the tags on snapshots that were put
// there before a time.
func OldHolds(ctx context.Context, z *zfs.ZFS, snapshots, tags []string, before time.Time) ([]OldHold, error) {
	holds, err := z.HoldTimes(ctx, snapshots)
	var old []OldHold
	for _, h := range holds {
		if slices.Contains(tags, h.Tag) && !h.Since.IsZero() && h.Since.Before(before) {
			old = append(old, OldHold{h.Snapshot, h.Tag, h.Since})
		}
	}
	return old, err
}

// Held lists the snapshots of roots and below that are held by anybody. It
// asks for every snapshot there is, which is slow. Without roots it lists
// everything.
func Held(ctx context.Context, z *zfs.ZFS, roots []string, passes func(string) bool) (names []string, err error) {
	o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "userrefs"}, Roots: roots, Recursive: true}
	err = z.List(ctx, o, func(f []string) error {
		ds, _, _ := dataset.Split(f[0])
		if n, err := strconv.ParseUint(f[1], 10, 64); err == nil && n > 0 && passes(ds) {
			names = append(names, strings.Clone(f[0]))
		}
		return nil
	})
	return names, zfs.Present(err)
}

// WithoutCursor returns those of the tags of which there is no cursor, a hold or
// a bookmark, on any of the datasets that pass. Where there are only holds that
// is slow to find out.
func WithoutCursor(ctx context.Context, z *zfs.ZFS, roots []string, passes func(string) bool, tags []string) ([]string, error) {
	left := slices.Clone(tags)
	o := zfs.ListOptions{Types: []string{"bookmark"}, Roots: roots, Recursive: true}
	err := z.List(ctx, o, func(f []string) error {
		ds, _, short := dataset.Split(f[0])
		left = slices.DeleteFunc(left, func(tag string) bool { return cursor.Is(tag, short) && passes(ds) })
		return nil
	})
	if err := zfs.Present(err); err != nil || len(left) == 0 {
		return left, err
	}
	names, err := Held(ctx, z, roots, passes)
	if err != nil || len(names) == 0 {
		return left, err
	}
	held, err := z.Holds(ctx, names)
	for _, there := range held {
		left = slices.DeleteFunc(left, func(tag string) bool { return slices.Contains(there, tag) })
	}
	return left, err
}
