package zfs

import (
	"context"
	"fmt"
	"math"
	"strconv"
)

// A PoolSpace is what can be written to a pool and to its datasets, in bytes.
type PoolSpace struct {
	Free, Total uint64            // of the pool's root dataset: what can still be written, and that with what is used
	Available   map[string]uint64 // of each dataset: at most Free, and less if it or one above has a quota
}

// Space runs one zfs list of a pool's filesystems and volumes. It counts neither
// parity nor what ZFS keeps for itself.
func (z *ZFS) Space(ctx context.Context, pool string) (PoolSpace, error) {
	s := PoolSpace{Available: map[string]uint64{}}
	found := false
	o := ListOptions{Types: []string{"filesystem", "volume"}, Columns: []string{"name", "available", "used"}, Roots: []string{pool}, Recursive: true}
	err := z.List(ctx, o, func(f []string) error {
		free, err1 := strconv.ParseUint(f[1], 10, 64)
		used, err2 := strconv.ParseUint(f[2], 10, 64)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("zfs list: not the space of %q: %q", pool, f)
		}
		s.Available[f[0]] = free
		if f[0] != pool {
			return nil
		}
		if found || used > math.MaxUint64-free || used+free == 0 {
			return fmt.Errorf("zfs list: not the space of %q: %q", pool, f)
		}
		s.Free, s.Total, found = free, free+used, true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("zfs list: nothing about %q", pool)
	}
	return s, err
}
