package zfs

import (
	"context"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Histories calls each with every snapshot and bookmark of roots and below
// them, as zfs lists them, by one command of the fastest kind. Roots that do
// not exist are passed over; without roots it lists everything.
func (z *ZFS) Histories(ctx context.Context, roots []string, recursive bool, each func(ds string, v dataset.Version) error) error {
	return z.histories(ctx, []string{"snapshot", "bookmark"}, roots, recursive, each)
}

// Snapshots is Histories without bookmarks. It takes as many commands as roots
// need.
func (z *ZFS) Snapshots(ctx context.Context, roots []string, recursive bool, each func(ds string, v dataset.Version) error) error {
	for {
		n := FitArgs(roots)
		if err := z.histories(ctx, []string{"snapshot"}, roots[:n], recursive, each); err != nil {
			return err
		}
		if roots = roots[n:]; len(roots) == 0 {
			return nil
		}
	}
}

func (z *ZFS) histories(ctx context.Context, types, roots []string, recursive bool, each func(ds string, v dataset.Version) error) error {
	o := ListOptions{
		Types:     types,
		Columns:   []string{"name", "guid", "createtxg"},
		Roots:     roots,
		Recursive: recursive,
	}
	if !recursive && len(roots) > 0 {
		o.Depth = 1
	}
	names := names{}
	last := ""
	return Present(z.List(ctx, o, func(fields []string) error {
		ds, v, err := version(fields)
		if err != nil {
			return err
		}
		if ds != last {
			last = strings.Clone(ds)
		}
		v.Name = names.one(v.Name)
		return each(last, v)
	}))
}

// names keeps one copy of each name: snapshots of many datasets share theirs,
// and a name that is part of a line would keep all of the line in memory.
type names map[string]string

// maxNames bounds what is kept for names that nobody shares.
const maxNames = 1 << 16

func (n names) one(name string) string {
	if same, ok := n[name]; ok {
		return same
	}
	if len(n) >= maxNames {
		clear(n)
	}
	name = strings.Clone(name)
	n[name] = name
	return name
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
			found[strings.Clone(fields[0])] = g
			return err
		})
		if err := Present(err); err != nil {
			return nil, err
		}
		snapshots = snapshots[n:]
	}
	return found, nil
}
