package prune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Columns are what List asks zfs list for, and the fields of its lines. The
// clones tell of partial receives, too, which zfs lists nowhere else.
var Columns = []string{"name", "creation", "createtxg", "userrefs", "clones", "guid"}

// Snapshot is a line of List.
type Snapshot struct {
	Dataset string
	GUID    dataset.GUID
	retention.Snapshot
}

// List lists the snapshots of datasets by one command, dataset by dataset,
// those of the datasets below too with recursive. The fields are Columns's;
// they are used again for the next line.
func List(ctx context.Context, z *zfs.ZFS, roots []string, recursive bool, each func(fields []string) error) error {
	o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: Columns, Roots: roots, Recursive: recursive}
	if !recursive {
		o.Depth = 1
	}
	return z.List(ctx, o, each)
}

// Parse reads the fields of a line of List.
func Parse(fields []string) (s Snapshot, err error) {
	ds, kind, short := dataset.Split(fields[0])
	if kind != dataset.Snapshot {
		return s, fmt.Errorf("zfs list: not a snapshot: %q", fields[0])
	}
	s.Dataset, s.Name = ds, short
	switch s.Creation, err = strconv.ParseInt(fields[1], 10, 64); {
	case errors.Is(err, strconv.ErrRange): // a stream can say so: it is its dataset's trouble alone, see CheckClock
	case err != nil:
		return s, fmt.Errorf("zfs list: %q: creation %q is not a number of seconds", fields[0], fields[1])
	}
	if s.CreateTXG, err = strconv.ParseUint(fields[2], 10, 64); err != nil {
		return s, fmt.Errorf("zfs list: %q: createtxg %q is not a number", fields[0], fields[2])
	}
	if s.GUID, err = dataset.ParseGUID(fields[5]); err != nil {
		return s, fmt.Errorf("zfs list: %q: %w", fields[0], err)
	}
	s.Held = fields[3] != "0" && fields[3] != "-"
	s.Origin = fields[4] != "" && fields[4] != "-"
	return s, nil
}

// Group is a dataset with its snapshots.
type Group struct {
	Dataset   string
	Snapshots []retention.Snapshot
	GUIDs     []dataset.GUID // of the snapshots
}

// Groups lists the snapshots of datasets as List does, in groups.
func Groups(ctx context.Context, z *zfs.ZFS, roots []string, recursive bool) ([]Group, error) {
	var groups []Group
	at := map[string]int{}
	err := List(ctx, z, roots, recursive, func(fields []string) error {
		s, err := Parse(fields)
		if err != nil {
			return err
		}
		i, ok := at[s.Dataset]
		if !ok {
			i = len(groups)
			at[s.Dataset] = i
			groups = append(groups, Group{Dataset: s.Dataset})
		}
		g := &groups[i]
		g.Snapshots = append(g.Snapshots, s.Snapshot)
		g.GUIDs = append(g.GUIDs, s.GUID)
		return nil
	})
	return groups, err
}

// cursorTag is what the tags and the bookmarks of our replication begin with
// on the side that sends: zreplctl_ROLE_ID, ROLE being one of these.
var cursorRoles = []string{"zreplctl_source_", "zreplctl_push_", "zreplctl_local_"}

func isCursor(name string) bool {
	for _, role := range cursorRoles {
		if strings.HasPrefix(name, role) {
			return true
		}
	}
	return false
}

// Partners are those to whom a side sends, by the tags of their cursors.
type Partners struct {
	Tags   []string // a partner that has no cursor on a dataset has nothing of it
	Others bool     // and all others that have a cursor there
}

func (p Partners) count(tag string) bool {
	return slices.Contains(p.Tags, tag) || p.Others && isCursor(tag)
}

// MarkReplicated sets Replicated of the snapshots that every partner has: up
// to its cursor, a hold, or a bookmark in its place. Without any cursor nothing
// counts as replicated. It costs two commands, or a few more if there are very
// many holds.
func MarkReplicated(ctx context.Context, z *zfs.ZFS, roots []string, recursive bool, groups []Group, p Partners) error {
	versions, err := z.Versions(ctx, roots, recursive)
	if err != nil {
		return err
	}
	var held []string
	for _, g := range groups {
		for _, s := range g.Snapshots {
			if s.Held {
				held = append(held, g.Dataset+"@"+s.Name)
			}
		}
	}
	tags, err := z.Holds(ctx, held)
	if err != nil {
		return err
	}
	for _, g := range groups {
		limit := cursor(g, versions[g.Dataset], tags, p)
		for i := range g.Snapshots {
			g.Snapshots[i].Replicated = g.Snapshots[i].CreateTXG <= limit
		}
	}
	return nil
}

// cursor is the createtxg up to which every partner has the snapshots. A
// partner may have two holds, on what was sent last and on what is being
// sent: the older one counts. Of its bookmarks, which count where it has no
// hold, the newest one does.
func cursor(g Group, versions []dataset.Version, tags map[string][]string, p Partners) uint64 {
	holds, marks := map[string]uint64{}, map[string]uint64{}
	for _, s := range g.Snapshots {
		for _, tag := range tags[g.Dataset+"@"+s.Name] {
			if txg, ok := holds[tag]; p.count(tag) && (!ok || s.CreateTXG < txg) {
				holds[tag] = s.CreateTXG
			}
		}
	}
	for _, v := range versions {
		tag, ok := strings.CutSuffix(v.Name, fmt.Sprintf("_%016x", uint64(v.GUID)))
		if ok && v.Kind == dataset.Bookmark && p.count(tag) {
			marks[tag] = max(marks[tag], v.CreateTXG)
		}
	}
	for tag, txg := range holds {
		marks[tag] = txg
	}
	for _, tag := range p.Tags {
		if _, begun := marks[tag]; !begun {
			return 0
		}
	}
	limit, first := uint64(0), true
	for _, txg := range marks {
		if first || txg < limit {
			limit, first = txg, false
		}
	}
	return limit
}
