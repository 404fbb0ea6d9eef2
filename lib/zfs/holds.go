package zfs

import (
	"context"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Holds returns the tags of the holds on snapshots (full names), by snapshot,
// with as few commands as arguments allow. Snapshots without holds, and
// those that are gone, are not in the map.
func (z *ZFS) Holds(ctx context.Context, snapshots []string) (map[string][]string, error) {
	if err := checkVersions(dataset.Snapshot, snapshots...); err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for len(snapshots) > 0 {
		n := FitArgs(snapshots)
		args := append([]string{"holds", "-H"}, snapshots[:n]...)
		snapshots = snapshots[n:]
		err := z.lines(ctx, args, func(line string) error {
			name, rest, ok := strings.Cut(line, "\t")
			tag, _, ok2 := strings.Cut(rest, "\t")
			if !ok || !ok2 {
				return fmt.Errorf("zfs holds: not a line of three columns: %q", line)
			}
			all[name] = append(all[name], tag)
			return nil
		})
		if err := Present(err); err != nil {
			return nil, err
		}
	}
	return all, nil
}
