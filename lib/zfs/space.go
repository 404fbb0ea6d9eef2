package zfs

import (
	"context"
	"fmt"
	"math"
	"strconv"
)

// Space returns how many bytes can still be written to a pool, and how many
// datasets can have in all. It runs one zfs list of the pool's root dataset, so
// it counts neither parity nor what ZFS keeps for itself.
func (z *ZFS) Space(ctx context.Context, pool string) (free, total uint64, err error) {
	found := false
	o := ListOptions{Types: []string{"filesystem"}, Columns: []string{"name", "available", "used"}, Roots: []string{pool}}
	err = z.List(ctx, o, func(f []string) error {
		var used uint64
		var err1, err2 error
		free, err1 = strconv.ParseUint(f[1], 10, 64)
		used, err2 = strconv.ParseUint(f[2], 10, 64)
		if found || f[0] != pool || err1 != nil || err2 != nil || used > math.MaxUint64-free || used+free == 0 {
			return fmt.Errorf("zfs list: not the space of %q: %q", pool, f)
		}
		total, found = free+used, true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("zfs list: nothing about %q", pool)
	}
	return free, total, err
}
