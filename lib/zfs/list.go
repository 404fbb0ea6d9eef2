package zfs

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// ListOptions say what zfs list shows.
type ListOptions struct {
	Types     []string // filesystem, volume, snapshot, bookmark; none: zfs's default
	Columns   []string // properties; none: name
	Roots     []string // none: everything there is
	Recursive bool     // the roots and all below
	Depth     int      // with Recursive off: so many levels below the roots
}

// List runs one zfs list -Hp and calls each with the fields of every line;
// the slice is used again for the next line. It streams: nothing is held.
// When the command fails, also behind good lines, the error says so.
//
// Each column but name, guid and createtxg makes zfs ask the kernel for every
// single snapshot, which is many times slower.
func (z *ZFS) List(ctx context.Context, o ListOptions, each func(fields []string) error) error {
	args, err := o.args()
	if err != nil {
		return err
	}
	want := max(len(o.Columns), 1)
	fields := make([]string, 0, want)
	return z.lines(ctx, args, func(line string) error {
		fields = fields[:0]
		for field := range strings.SplitSeq(line, "\t") {
			fields = append(fields, field)
		}
		if err := columns(fields, want); err != nil {
			return err
		}
		return each(fields)
	})
}

func columns(fields []string, want int) error {
	if len(fields) != want {
		return fmt.Errorf("zfs list: a line of %d columns instead of %d: %q", len(fields), want, strings.Join(fields, "\t"))
	}
	return nil
}

func (o ListOptions) args() ([]string, error) {
	args := []string{"list", "-Hp"}
	switch {
	case o.Recursive:
		args = append(args, "-r")
	case o.Depth > 0:
		args = append(args, "-d", strconv.Itoa(o.Depth))
	}
	if len(o.Types) > 0 {
		args = append(args, "-t", strings.Join(o.Types, ","))
	}
	columns := o.Columns
	if len(columns) == 0 {
		columns = []string{"name"}
	}
	for _, c := range columns {
		if err := checkProperty(c); err != nil {
			return nil, err
		}
	}
	if err := checkAny(o.Roots...); err != nil {
		return nil, err
	}
	args = append(args, "-o", strings.Join(columns, ","))
	return append(args, o.Roots...), nil
}

// Versions returns the snapshots and the bookmarks of roots by dataset, each
// dataset's in the order of dataset.Sort, with one zfs list of the fastest
// kind. With recursive it goes below the roots; without roots it lists
// everything. Datasets that have none are not in the map.
func (z *ZFS) Versions(ctx context.Context, roots []string, recursive bool) (map[string][]dataset.Version, error) {
	o := ListOptions{
		Types:     []string{"snapshot", "bookmark"},
		Columns:   []string{"name", "guid", "createtxg"},
		Roots:     roots,
		Recursive: recursive,
	}
	if !recursive && len(roots) > 0 {
		o.Depth = 1 // a dataset's versions, and none of its children's
	}
	all := map[string][]dataset.Version{}
	err := z.List(ctx, o, func(fields []string) error {
		ds, v, err := version(fields)
		if err != nil {
			return err
		}
		all[ds] = append(all[ds], v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, vs := range all {
		dataset.Sort(vs)
	}
	return all, nil
}

func version(fields []string) (ds string, v dataset.Version, err error) {
	ds, v.Kind, v.Name = dataset.Split(fields[0])
	if v.Kind == 0 {
		return "", v, fmt.Errorf("zfs list: neither a snapshot nor a bookmark: %q", fields[0])
	}
	if v.GUID, err = dataset.ParseGUID(fields[1]); err != nil {
		return "", v, fmt.Errorf("zfs list: %q: %w", fields[0], err)
	}
	if v.CreateTXG, err = strconv.ParseUint(fields[2], 10, 64); err != nil {
		return "", v, fmt.Errorf("zfs list: %q: createtxg %q is not a number", fields[0], fields[2])
	}
	return ds, v, nil
}
