package zfs

import (
	"context"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Histories calls each with every snapshot and bookmark of roots and below
// them, as zfs lists them, by one command of the fastest kind. Roots that do
// not exist are passed over; without roots it lists everything.
func (z *ZFS) Histories(ctx context.Context, roots []string, recursive bool, each func(ds string, v dataset.Version) error) error {
	return z.histories(ctx, []string{"snapshot", "bookmark"}, roots, recursive, nil, each)
}

// Tree is Histories, and by the same command calls one with the name of every
// dataset.
func (z *ZFS) Tree(ctx context.Context, roots []string, one func(ds string) error, each func(ds string, v dataset.Version) error) error {
	return z.histories(ctx, []string{"filesystem", "volume", "snapshot", "bookmark"}, roots, true, one, each)
}

// Snapshots is Histories without bookmarks. It takes as many commands as roots
// need.
func (z *ZFS) Snapshots(ctx context.Context, roots []string, recursive bool, each func(ds string, v dataset.Version) error) error {
	_, err := z.SnapshotsThere(ctx, roots, recursive, each)
	return err
}

// SnapshotsThere is Snapshots, and returns the roots that do not exist.
func (z *ZFS) SnapshotsThere(ctx context.Context, roots []string, recursive bool, each func(ds string, v dataset.Version) error) (gone []string, err error) {
	for {
		n := FitArgs(roots)
		err := z.list(ctx, []string{"snapshot"}, roots[:n], recursive, nil, each)
		missing, _ := Missing(err)
		if err := Present(err); err != nil {
			return nil, err
		}
		gone = append(gone, missing...)
		if roots = roots[n:]; len(roots) == 0 {
			return gone, nil
		}
	}
}

func (z *ZFS) histories(ctx context.Context, types, roots []string, recursive bool,
	one func(ds string) error, each func(ds string, v dataset.Version) error) error {
	return Present(z.list(ctx, types, roots, recursive, one, each))
}

// list is histories, and fails for roots that do not exist.
func (z *ZFS) list(ctx context.Context, types, roots []string, recursive bool,
	one func(ds string) error, each func(ds string, v dataset.Version) error) error {
	o := ListOptions{
		Types:     types,
		Columns:   []string{"name", "guid", "createtxg"},
		Roots:     roots,
		Recursive: recursive,
	}
	if !recursive && len(roots) > 0 {
		o.Depth = 1
	}
	args, err := o.args()
	if err != nil {
		return err
	}
	names := names{}
	last := ""
	return z.rawLines(ctx, args, func(line []byte) error {
		l, ok := readVersion(line, last)
		if !ok {
			return oddLine(line, one)
		}
		if string(l.dataset) != last {
			last = string(l.dataset)
		}
		return each(last, dataset.Version{Kind: l.kind, Name: names.one(l.name), GUID: dataset.GUID(l.guid), CreateTXG: l.txg})
	})
}

// oddLine is about a line of no version: a dataset's, or one that says what is
// wrong with it.
func oddLine(line []byte, one func(ds string) error) error {
	fields := strings.Split(string(line), "\t")
	if err := columns(fields, 3); err != nil {
		return err
	}
	if one != nil && !strings.ContainsAny(fields[0], "@#") {
		return one(fields[0])
	}
	if _, _, err := version(fields); err != nil {
		return err
	}
	return fmt.Errorf("zfs list: cannot read %q", line)
}

// names keeps one copy of each name: snapshots of many datasets share theirs,
// and a name that is part of a line would keep all of the line in memory.
type names map[string]string

// maxNames bounds what is kept for names that nobody shares.
const maxNames = 1 << 16

func (n names) one(name []byte) string {
	if same, ok := n[string(name)]; ok {
		return same
	}
	if len(n) >= maxNames {
		clear(n)
	}
	kept := string(name)
	n[kept] = kept
	return kept
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
