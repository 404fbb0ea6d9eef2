package prune

import (
	"context"
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Spaces is what is free in pools, by name. A pool of which ZFS does not say it
// has none.
type Spaces map[string]*zfs.PoolSpace

// Of returns the space of a dataset: of the pool, and no more than its quota and
// those above allow, or a copy below a quota would find no room while nothing is
// destroyed. Nil: it is not known.
func (s Spaces) Of(ds string) *retention.Space {
	pool := s[dataset.Pool(ds)]
	if pool == nil {
		return nil
	}
	free := pool.Free
	if own, known := pool.Available[ds]; known {
		free = min(free, own)
	}
	return &retention.Space{Free: free, Total: pool.Total}
}

// LookUpSpaces asks ZFS for the space of the pools of datasets, if the policy
// needs to know it. The error names the pools in which the policy therefore
// destroys nothing.
func LookUpSpaces(ctx context.Context, z *zfs.ZFS, p *retention.Policy, datasets []string) (Spaces, error) {
	if !p.NeedsSpace() {
		return nil, nil
	}
	spaces := Spaces{}
	var errs []error
	for _, ds := range datasets {
		pool := dataset.Pool(ds)
		if _, asked := spaces[pool]; asked {
			continue
		}
		spaces[pool] = nil
		space, err := z.Space(ctx, pool)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot find out the free space of pool %q, and destroy nothing there: %w", pool, err))
			continue
		}
		spaces[pool] = &space
	}
	return spaces, errors.Join(errs...)
}
