package config

import (
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

// heap is a side of a job on which snapshots come about.
type heap struct {
	job    *Job
	region mapfilter.Region
	how    string
}

// heaps are the sides of a job that bring snapshots and have no policy.
func (j *Job) heaps() (all []heap) {
	if j.Snapshots() && j.Prune == nil && j.PruneLHS == nil && j.sources() != nil {
		all = append(all, heap{j, j.sources().From(), "takes"})
	}
	if !j.Receives() || j.Prune != nil || j.PruneRHS != nil {
		return all
	}
	switch {
	case j.Mapping != nil:
		all = append(all, heap{j, j.Mapping.Into(), "receives"})
	case j.Root != "":
		all = append(all, heap{j, mapfilter.Below(j.Root), "receives"})
	}
	return all
}

// findPolicyless notes the jobs whose snapshots nothing in the file destroys, for
// their summaries. It may be meant: zprune can do it.
func (d *decoder) findPolicyless(c *Config) {
	var heaps []heap
	var regions []mapfilter.Region
	for _, j := range c.Jobs {
		for _, h := range j.heaps() {
			heaps, regions = append(heaps, h), append(regions, h.region)
		}
	}
	var policies []claim
	for _, j := range c.Jobs {
		for _, claim := range j.claims() {
			if claim.prunes {
				policies, regions = append(policies, claim), append(regions, claim.region)
			}
		}
	}
	covered := make([]bool, len(heaps))
	d.near(regions, func(i, k int) {
		if i >= len(heaps) || k < len(heaps) || covered[i] {
			return
		}
		p := policies[k-len(heaps)]
		if h := heaps[i]; h.job.SnapshotPrefix == "" || strings.HasPrefix(h.job.SnapshotPrefix, p.job.SnapshotPrefix) {
			_, covered[i] = mapfilter.Common(h.region, p.region)
		}
	})
	for i, h := range heaps {
		if !covered[i] {
			h.job.piles = append(h.job.piles, h.how)
		}
	}
}
