package config

import (
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

// checkTargets finds jobs that write into each other's targets. The targets
// of one job do not lie within each other, so that it is enough to look at
// what stands above each.
func (d *decoder) checkTargets(c *Config) {
	owners := map[string][]*Job{}
	targets := map[*Job][]string{}
	given := map[*Job]bool{}
	for _, j := range c.Jobs {
		targets[j] = j.Targets()
		for _, name := range targets[j] {
			owners[name] = append(owners[name], j)
		}
	}
	for _, j := range c.Jobs {
		for _, name := range targets[j] {
			for at := name; at != ""; at = dataset.Parent(at) {
				for _, other := range owners[at] {
					d.checkPair(j, name, other, at)
					if j.Restore {
						d.checkGiven(j, name, other, at, given)
					}
					if other.Restore && name != at { // of two equal ones each has its turn as j
						d.checkGiven(other, at, j, name, given)
					}
				}
			}
		}
	}
}

// checkPair looks at the target name of j and the target at of other, which
// is the same or stands above it. Of two equal ones the later job is told.
func (d *decoder) checkPair(j *Job, name string, other *Job, at string) {
	if other == j || other.Name == "" || j.SharedTarget && other.SharedTarget || name == at && j.at[""].before(other.at[""]) {
		return
	}
	d.wrongAt(j.firstKey("mapping", "root"), "job %q: target %q lies within target %q of job %q: to allow that, write shared_target: true in both", j.Name, name, at, other.Name)
}

// checkGiven refuses that a sink gives its client back what lies in its target
// name, if another job receives there, too: what a copy says of itself does not
// tell whose it is. Each sink is told once.
func (d *decoder) checkGiven(j *Job, name string, other *Job, at string, told map[*Job]bool) {
	if other == j || j.Name == "" || other.Name == "" || told[j] {
		return
	}
	told[j] = true
	d.wrongAt(j.key("restore"), "job %q: restore: allow would also give its client what job %q receives: its target is %q, and that of this job %q: give each a target outside the other's, or leave restore: allow out", j.Name, other.Name, at, name)
}

// checkReceived finds jobs that take snapshots, and prune them, where another
// job receives.
func (d *decoder) checkReceived(c *Config) {
	targets := make([][]string, len(c.Jobs))
	for i, j := range c.Jobs {
		targets[i] = j.Targets()
	}
	for _, j := range c.Jobs {
		rules := j.Sources()
		if !j.Snapshots() || rules == nil {
			continue
		}
		for i, other := range c.Jobs {
			for _, target := range targets[i] {
				if other != j && (rules.Pass(target) || rules.Pass(target+"/any")) {
					d.warnAt(j.firstKey("datasets", "mapping"), "job %q: it takes snapshots of what job %q receives in %q: leave that out", j.Name, other.Name, target)
				}
			}
		}
	}
}

// checkCircles finds two jobs of this host that copy each other's copies, a
// level deeper with each run. A job and its inverse, for the way back, do not.
func (d *decoder) checkCircles(c *Config) {
	for i, j := range c.Jobs {
		for _, other := range c.Jobs[:i] {
			if j.Type == Local && other.Type == Local && j.Mapping != nil && other.Mapping != nil {
				if target, to, again, deeper := circle(other.Mapping, j.Mapping); deeper {
					d.wrongAt(j.key("mapping"), "job %q: mapping: it copies %q, where job %q receives, to %q, and that goes to %q again", j.Name, target, other.Name, to, again)
				}
			}
		}
	}
}

// circle returns a target of a's that b takes to where a takes it from, to
// another place than it was.
func circle(a, b *mapfilter.Rules) (target, to, again string, deeper bool) {
	for _, target := range a.Targets() {
		if to, ok := b.Takes(target); ok {
			if again, ok := a.Takes(to); ok && again != target {
				return target, to, again, true
			}
		}
	}
	return "", "", "", false
}
