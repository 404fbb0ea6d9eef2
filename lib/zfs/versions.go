package zfs

import (
	"context"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Histories calls each with every snapshot and bookmark of roots and below
// them, as zfs lists them, by one command of the fastest kind. Roots that do
// not exist are passed over; without roots it lists everything.
func (z *ZFS) Histories(ctx context.Context, roots []string, recursive bool, each func(ds string, v dataset.Version) error) error {
	o := ListOptions{
		Types:     []string{"snapshot", "bookmark"},
		Columns:   []string{"name", "guid", "createtxg"},
		Roots:     roots,
		Recursive: recursive,
	}
	if !recursive && len(roots) > 0 {
		o.Depth = 1
	}
	return Present(z.List(ctx, o, func(fields []string) error {
		ds, v, err := version(fields)
		if err != nil {
			return err
		}
		return each(ds, v)
	}))
}

// GUIDs looks up the guids of snapshots (full names), by one command for as
// many as fit. Those that do not exist are not in the map.
func (z *ZFS) GUIDs(ctx context.Context, snapshots []string) (map[string]dataset.GUID, error) {
	found := map[string]dataset.GUID{}
	for len(snapshots) > 0 {
		n := FitArgs(snapshots)
		o := ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "guid"}, Roots: snapshots[:n]}
		err := z.List(ctx, o, func(fields []string) error {
			g, err := dataset.ParseGUID(fields[1])
			found[fields[0]] = g
			return err
		})
		if err := Present(err); err != nil {
			return nil, err
		}
		snapshots = snapshots[n:]
	}
	return found, nil
}
