package prune

import (
	"context"
	"fmt"
	"strconv"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Columns are what zfs list has to be asked for of snapshots. If a policy
// needs to know the holds of all, it needs HeldColumns: they are many times
// slower.
var (
	Columns     = []string{"name", "creation", "createtxg", "guid"}
	HeldColumns = []string{"name", "creation", "createtxg", "userrefs", "clones", "guid"}
)

// List lists the snapshots of datasets by one command, dataset by dataset,
// those of the datasets below too with recursive. The fields are those of
// columns; they are used again for the next line.
func List(ctx context.Context, z *zfs.ZFS, columns, roots []string, recursive bool, each func(fields []string) error) error {
	o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: columns, Roots: roots, Recursive: recursive}
	if !recursive {
		o.Depth = 1
	}
	return z.List(ctx, o, each)
}

// Group is a dataset with its snapshots.
type Group struct {
	Dataset   string
	Snapshots []retention.Snapshot
	GUIDs     []dataset.GUID // of the snapshots
}

// grouped are groups in the order of their first snapshots.
type grouped struct {
	groups []Group
	at     map[string]int
}

func (g *grouped) add(ds string, s retention.Snapshot, guid dataset.GUID) {
	i, ok := g.at[ds]
	if !ok {
		i = len(g.groups)
		g.at[ds] = i
		g.groups = append(g.groups, Group{Dataset: ds})
	}
	group := &g.groups[i]
	group.Snapshots = append(group.Snapshots, s)
	group.GUIDs = append(group.GUIDs, guid)
}

// groups lists the snapshots of datasets by one command. Without dated it is of
// the fastest kind: they have names, guids and createtxgs, and nothing else.
func groups(ctx context.Context, z *zfs.ZFS, roots []string, recursive, dated bool) ([]Group, error) {
	g := grouped{at: map[string]int{}}
	o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "guid", "createtxg"}, Roots: roots, Recursive: recursive}
	if dated {
		o.Columns = append(o.Columns, "creation")
	}
	if !recursive {
		o.Depth = 1
	}
	err := z.List(ctx, o, func(fields []string) error {
		ds, short, guid, err := named(fields)
		if err != nil {
			return err
		}
		s := retention.Snapshot{Name: short}
		if s.CreateTXG, err = strconv.ParseUint(fields[2], 10, 64); err != nil {
			return fmt.Errorf("zfs list: %q: createtxg %q is not a number", fields[0], fields[2])
		}
		if dated {
			if s.Creation, err = Creation(fields[0], fields[3]); err != nil {
				return err
			}
		}
		g.add(ds, s, guid)
		return nil
	})
	return g.groups, err
}

// named reads a name and a guid.
func named(fields []string) (ds, short string, guid dataset.GUID, err error) {
	ds, kind, short := dataset.Split(fields[0])
	if kind != dataset.Snapshot {
		return "", "", 0, fmt.Errorf("zfs list: not a snapshot: %q", fields[0])
	}
	if guid, err = dataset.ParseGUID(fields[1]); err != nil {
		return "", "", 0, fmt.Errorf("zfs list: %q: %w", fields[0], err)
	}
	return ds, short, guid, nil
}

// Creation reads a snapshot's creation; see zfs.Creation.
func Creation(name, text string) (int64, error) {
	n, err := zfs.Creation(text)
	if err != nil {
		return 0, fmt.Errorf("zfs list: %q: %w", name, err)
	}
	return n, nil
}
