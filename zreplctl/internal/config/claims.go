package config

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

// A claim is what a job does with the snapshots of its prefix on a side.
type claim struct {
	job *Job
	Side
}

// claims are those of a job: none without a prefix, since it then takes and
// destroys nothing.
func (j *Job) claims() (all []claim) {
	if j.SnapshotPrefix == "" {
		return nil
	}
	for _, side := range j.Sides() {
		all = append(all, claim{j, side})
	}
	return all
}

// prunes reports whether the job destroys snapshots there.
func (c claim) prunes() bool { return c.Policy != nil }

// checkClaims finds jobs that would take, or destroy, each other's snapshots:
// where prefixes are equal, or one begins with the other (zrepl_daily_1 begins
// with zrepl_, too), on datasets that both have. Each job is told once.
func (d *decoder) checkClaims(c *Config) {
	var all []claim
	var regions []mapfilter.Region
	for _, j := range c.Jobs {
		for _, claim := range j.claims() {
			all, regions = append(all, claim), append(regions, claim.Region)
		}
	}
	told := map[*Job]bool{}
	find := func(tell teller, bad func(first, later claim) bool) {
		d.near(regions, func(i, k int) {
			first, later := all[i], all[k]
			if told[later.job] || !first.alike(later) || !bad(first, later) {
				return
			}
			if name, both := mapfilter.Common(first.Region, later.Region); both {
				told[later.job] = true
				tellClaims(tell, first, later, mapfilter.Show(name))
			}
		})
	}
	find(d.wrongAt, claim.harms)
	find(d.warnAt, func(a, b claim) bool { return a.Takes && b.Takes && !a.harms(b) })
}

// A teller is wrongAt or warnAt of a decoder.
type teller func(at place, format string, args ...any)

// maxNear bounds the pairs of jobs about the same datasets that are looked at.
const maxNear = 100_000

// near calls look for the pairs of regions that could meet, the earlier first:
// an edge of one is, or lies within, an edge of the other. Most jobs are about
// other datasets, and looking at every two would cost too much.
func (d *decoder) near(regions []mapfilter.Region, look func(first, later int)) {
	at := map[string][]int{}
	for i, r := range regions {
		for _, edge := range r.Edges() {
			at[edge] = append(at[edge], i)
		}
	}
	looked := 0
	for i, r := range regions {
		for _, edge := range r.Edges() {
			for up, more := edge, true; more; up, more = dataset.Parent(up), up != "" {
				for _, other := range at[up] {
					if looked++; looked > maxNear {
						d.wrongAt(place{}, "more than %d pairs of jobs are about the same datasets", maxNear)
						return
					}
					if i != other {
						look(min(i, other), max(i, other))
					}
				}
			}
		}
	}
}

// alike reports whether two jobs could take each other's snapshots for their
// own and do not say that it is meant.
func (a claim) alike(b claim) bool {
	one, other := a.job.SnapshotPrefix, b.job.SnapshotPrefix
	return a.job != b.job && !(a.job.SharedPrefix && b.job.SharedPrefix) &&
		(strings.HasPrefix(one, other) || strings.HasPrefix(other, one))
}

// harms reports whether there is a policy that is not meant for all of them, or
// both take snapshots at the same times. A job that only prunes may do so for
// one that has no policy.
func (a claim) harms(b claim) bool {
	if a.job.SnapshotPrefix == b.job.SnapshotPrefix && a.prunes() != b.prunes() {
		if a.prunes() && a.job.Type == Prune || b.prunes() && b.job.Type == Prune {
			return false
		}
	}
	return a.prunes() || b.prunes() || a.Takes && b.Takes && a.job.Timed() && b.job.Timed()
}

func tellClaims(tell teller, a, b claim, where string) {
	first, later := a.job, b.job
	same := fmt.Sprintf("is also that of job %q", first.Name)
	if first.SnapshotPrefix != later.SnapshotPrefix {
		same = fmt.Sprintf("and %q of job %q begin alike", first.SnapshotPrefix, first.Name)
	}
	harm := "both would take the same snapshots"
	switch {
	case !a.prunes() && !b.prunes() && first.SnapshotPrefix != later.SnapshotPrefix:
		harm = "the snapshots of one would count as the other's"
	case a.prunes() && b.prunes():
		harm = "the policy that keeps less would win"
	case a.prunes():
		harm = fmt.Sprintf("the policy of job %q would destroy the snapshots of both", a.job.Name)
	case b.prunes():
		harm = fmt.Sprintf("the policy of job %q would destroy the snapshots of both", b.job.Name)
	}
	instead := "write another prefix"
	if first.Type == Source && later.Type == Source {
		instead = "write one job for all clients, with client_identities"
	}
	tell(later.key("snapshot_prefix"), "job %q: snapshot_prefix: %q %s, on %q: %s: %s, or shared_prefix: true in both if you want that",
		later.Name, later.SnapshotPrefix, same, where, harm, instead)
}
