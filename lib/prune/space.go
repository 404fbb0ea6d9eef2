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
type Spaces map[string]*retention.Space

// Of returns the space of a dataset's pool; nil: it is not known.
func (s Spaces) Of(ds string) *retention.Space { return s[dataset.Pool(ds)] }

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
		free, total, err := z.Space(ctx, pool)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot find out the free space of pool %q, and destroy nothing there: %w", pool, err))
			continue
		}
		spaces[pool] = &retention.Space{Free: free, Total: total}
	}
	return spaces, errors.Join(errs...)
}
