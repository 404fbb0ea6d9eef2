package zfs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// maxReclaim is how many snapshots one command is asked about: its argument has
// a limit.
const maxReclaim = 300

// Reclaim is about how many bytes the destruction of these snapshots of a
// dataset would free. It destroys nothing. Of many snapshots it is a lower
// bound: what only parts of them share is not counted.
func (z *ZFS) Reclaim(ctx context.Context, ds string, snapshots []string) (sum uint64, err error) {
	if err := dataset.CheckName(ds); err != nil {
		return 0, err
	}
	for len(snapshots) > 0 {
		n := min(len(snapshots), maxReclaim)
		for _, s := range snapshots[:n] {
			if err := dataset.CheckShort(s); err != nil {
				return 0, err
			}
		}
		found := false
		args := []string{"destroy", "-n", "-v", "-p", ds + "@" + strings.Join(snapshots[:n], ",")}
		err := z.lines(ctx, args, func(line string) error {
			text, ok := strings.CutPrefix(line, "reclaim\t")
			if !ok {
				return nil
			}
			bytes, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
			sum, found = sum+bytes, true
			return err
		})
		if err == nil && !found {
			err = errors.New("zfs destroy -n: says nothing of what it frees")
		}
		if err != nil {
			return 0, fmt.Errorf("cannot ask what snapshots of %q take: %w", ds, err)
		}
		snapshots = snapshots[n:]
	}
	return sum, nil
}
