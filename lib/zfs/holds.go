package zfs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Hold is a hold on a snapshot. Since is when it was put there, to the minute;
// zero if that is not known.
type Hold struct {
	Snapshot, Tag string
	Since         time.Time
}

// Holds returns the tags of the holds on snapshots (full names), by snapshot,
// with as few commands as arguments allow. Snapshots without holds, and
// those that are gone, are not in the map.
func (z *ZFS) Holds(ctx context.Context, snapshots []string) (map[string][]string, error) {
	all := map[string][]string{}
	err := z.eachHold(ctx, snapshots, func(name, tag, _ string) { all[name] = append(all[name], tag) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// HoldTimes is Holds with the time of each hold.
func (z *ZFS) HoldTimes(ctx context.Context, snapshots []string) (all []Hold, err error) {
	err = z.eachHold(ctx, snapshots, func(name, tag, since string) {
		all = append(all, Hold{strings.Clone(name), strings.Clone(tag), holdTime(since)})
	})
	return all, err
}

// holdTime reads the third column of zfs holds: OpenZFS before 2.3 knows no -p
// and prints "Tue Nov 24 10:05 2026" in local time.
func holdTime(text string) time.Time {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(n, 0)
	}
	at, err := time.ParseInLocation("Mon Jan 2 15:04 2006", strings.Join(strings.Fields(text), " "), time.Local)
	if err != nil {
		return time.Time{}
	}
	return at
}

func (z *ZFS) eachHold(ctx context.Context, snapshots []string, each func(name, tag, since string)) error {
	if err := checkVersions(dataset.Snapshot, snapshots...); err != nil {
		return err
	}
	for len(snapshots) > 0 {
		n := FitArgs(snapshots)
		args := append([]string{"holds", "-H"}, snapshots[:n]...)
		snapshots = snapshots[n:]
		err := z.lines(ctx, args, func(line string) error {
			name, rest, ok := strings.Cut(line, "\t")
			tag, since, ok2 := strings.Cut(rest, "\t")
			if !ok || !ok2 {
				return fmt.Errorf("zfs holds: not a line of three columns: %q", line)
			}
			each(name, tag, since)
			return nil
		})
		if err := Present(err); err != nil {
			return err
		}
	}
	return nil
}
