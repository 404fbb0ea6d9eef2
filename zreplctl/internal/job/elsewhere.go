package job

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
)

// sightings are the datasets of whole pools that have what copies have.
type sightings struct {
	wanted map[dataset.GUID]bool
	pools  map[string]map[dataset.GUID]string // names by pool
}

func lookFor(all []replicate.Vanished) sightings {
	p := sightings{map[dataset.GUID]bool{}, map[string]map[dataset.GUID]string{}}
	for _, one := range all {
		for _, s := range one.Versions {
			p.wanted[s.GUID] = true
		}
	}
	return p
}

// elsewhere returns which dataset of its source's pool has a version that a copy has,
// "" if none: what was renamed to where the job's rules do not reach lives.
func (v *vanished) elsewhere(ctx context.Context, one replicate.Vanished) (string, error) {
	there, err := v.inPool(ctx, dataset.Pool(one.Source))
	if err != nil {
		return "", err
	}
	for _, s := range slices.Backward(one.Versions) {
		if name, ok := there[s.GUID]; ok {
			return name, nil
		}
	}
	return "", nil
}

// inPool lists a whole pool, once in a look, but for what the job's own copies have.
func (v *vanished) inPool(ctx context.Context, pool string) (map[dataset.GUID]string, error) {
	if there, ok := v.found.pools[pool]; ok {
		return there, nil
	}
	copies, _, err := v.r.state().Covered(v.r.Job.Name).Read()
	if err != nil {
		return nil, fmt.Errorf("cannot read which copies the job has: %w", err)
	}
	there := map[dataset.GUID]string{}
	err = v.receiver.ZFS.Histories(ctx, []string{pool}, true, func(ds string, s dataset.Version) error {
		if _, ok := copies[ds]; !ok && v.found.wanted[s.GUID] {
			there[s.GUID] = ds
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look for sources in pool %q: %w", pool, err)
	}
	v.found.pools[pool] = there
	return there, nil
}
