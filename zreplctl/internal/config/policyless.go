package config

import (
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

// heaps are the sides of a job that bring snapshots and have no policy for them.
func (j *Job) heaps() (all []claim) {
	for _, side := range j.Sides() {
		c := claim{j, side}
		if (side.Takes || side.Name == TargetSide) && (side.Policy == nil || !c.under(j.SnapshotPrefix)) {
			all = append(all, c)
		}
	}
	return all
}

// how says by what a job comes by snapshots there.
func (c claim) how() string {
	if c.Takes {
		return "takes"
	}
	return "receives"
}

// under reports whether a policy for a prefix is about what comes there, or some of
// it: a regex may choose snapshots that have not the job's own prefix.
func (c claim) under(prefix string) bool {
	if r := c.job.SnapshotRules; c.Name == TargetSide && r != nil && r.Regex != nil {
		begin := beginning(r.Regex.String())
		return strings.HasPrefix(begin, prefix) || strings.HasPrefix(prefix, begin)
	}
	return c.job.SnapshotPrefix == "" || strings.HasPrefix(c.job.SnapshotPrefix, prefix)
}

// findPolicyless notes the jobs whose snapshots nothing in the file destroys, for
// their summaries. It may be meant: zprune can do it.
func (d *decoder) findPolicyless(c *Config) {
	var heaps []claim
	var regions []mapfilter.Region
	for _, j := range c.Jobs {
		for _, h := range j.heaps() {
			heaps, regions = append(heaps, h), append(regions, h.Region)
		}
	}
	var policies []claim
	for _, j := range c.Jobs {
		for _, claim := range j.claims() {
			if claim.prunes() {
				policies, regions = append(policies, claim), append(regions, claim.Region)
			}
		}
	}
	covered := make([]bool, len(heaps))
	d.near(regions, func(i, k int) {
		if i >= len(heaps) || k < len(heaps) || covered[i] {
			return
		}
		p := policies[k-len(heaps)]
		if h := heaps[i]; h.under(p.job.SnapshotPrefix) && (p.job == h.job || p.job.Select == nil || p.job.selectsAs(h.job)) {
			_, covered[i] = mapfilter.Common(h.Region, p.Region)
		}
	})
	for i, h := range heaps {
		if !covered[i] {
			h.job.piles = append(h.job.piles, h.how())
		}
	}
}
