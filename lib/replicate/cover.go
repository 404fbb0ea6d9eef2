package replicate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// newestFew is how many snapshots of a target that nothing is sent to are
// looked at in a run that is not thorough: the hold of who received it is on
// one of the newest. What the list of the covered has needs no hold.
const newestFew = 8

// doubtful are the newest snapshots of the targets whose source is not offered
// or has none, and of which only the job's hold can tell that it was received
// once.
func (j *Job) doubtful(v *view, results []plan.Result) (out []transfer.Snap) {
	for _, name := range j.uncovered(v, results) {
		if _, listed := j.Covered[name]; listed {
			continue
		}
		var snaps []transfer.Snap
		for _, s := range slices.Backward(v.targets[name].Versions) {
			if s.Kind == dataset.Snapshot && len(snaps) < newestFew {
				snaps = append(snaps, snap(name, s))
			}
		}
		out = append(out, snaps...)
	}
	return out
}

// uncovered are the targets that have snapshots, or were covered once, and
// whose source is not offered or has no snapshot to send. The copy of a target that
// was covered may be gone as well: then it is missing unless its source is
// offered, which is replicated to another target by now, or what it had is the
// base of another target, which is the copy under a new name.
func (j *Job) uncovered(v *view, results []plan.Result) (names []string) {
	if j.Partial {
		return nil
	}
	taken, emptied, offered := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range results {
		switch {
		case p.Source == "" && p.Conflict == nil: // a placeholder
		case p.Conflict != nil && p.Conflict.Reason.Waits():
			emptied[p.Target] = true
		default:
			taken[p.Target] = true
		}
	}
	for _, in := range v.inputs {
		offered[in.Source] = true
	}
	for name, t := range v.targets {
		if !taken[name] && !t.Above && len(t.Versions) > 0 {
			names = append(names, name)
		}
	}
	renamed := j.renamed(v, results)
	for name, source := range j.Covered {
		if t := v.targets[name]; taken[name] || t.Above || len(t.Versions) > 0 || renamed[name] {
			continue
		}
		if emptied[name] || source == "" || !offered[source] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// renamed are the targets of the list that are not there, and of which the base
// that the last run noted is now another target's: somebody renamed both sides.
func (j *Job) renamed(v *view, results []plan.Result) map[string]bool {
	base := map[dataset.GUID]bool{}
	for _, p := range results {
		if p.Base != nil {
			for _, s := range v.targets[p.Target].Versions {
				base[s.GUID] = true
			}
		}
	}
	out := map[string]bool{}
	for name := range j.Covered {
		if _, there := v.targets[name]; !there && slices.ContainsFunc(j.Noted[name], func(g dataset.GUID) bool { return base[g] }) {
			out[name] = true
		}
	}
	return out
}

// cover adds to results what the job has received once and the sender has not
// any more: until a person says that it is to be forgotten, done would not
// mean that everything is there.
func (j *Job) cover(v *view, results []plan.Result) []plan.Result {
	at := map[string]int{}
	for i, p := range results {
		if p.Source != "" {
			at[p.Target] = i
		}
	}
	var stuck []string
	for _, name := range j.uncovered(v, results) {
		t := v.targets[name]
		_, listed := j.Covered[name]
		if !listed && !slices.ContainsFunc(t.Versions, func(s dataset.Version) bool { return holds(t, s) }) {
			continue
		}
		switch i, ok := at[name]; {
		case !ok:
			results = append(results, plan.Gone(name, j.whyNoCopy(v, name)))
		case results[i].Emptied():
			stuck = append(stuck, name)
		}
	}
	for _, name := range stuck {
		results = plan.Block(results, name, plan.NotOffered)
	}
	slices.SortStableFunc(results, func(a, b plan.Result) int {
		return cmp.Or(strings.Compare(a.Target, b.Target), failuresFirst(a, b)) // before the placeholder in its place
	})
	return results
}

func failuresFirst(a, b plan.Result) int {
	switch {
	case a.Conflict != nil && b.Conflict == nil:
		return -1
	case a.Conflict == nil && b.Conflict != nil:
		return 1
	}
	return 0
}

// whyNoCopy says why the receiver has no snapshot of a target; empty: it has.
func (j *Job) whyNoCopy(v *view, name string) string {
	pool := dataset.Pool(name)
	inPool := func(other string) bool { return dataset.Pool(other) == pool }
	switch {
	case len(v.targets[name].Versions) > 0:
		return ""
	case len(j.Targets) > 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(v.targets)), inPool):
		return fmt.Sprintf("pool %q does not exist here, or is not imported: zpool import %s", pool, pool)
	}
	return "the copy no longer exists"
}

// noteCovered tells Cover what the job covers and its list lacks, and which
// targets of the list have another name by now.
func (j *Job) noteCovered(v *view, results []plan.Result) {
	fresh, at := map[string]string{}, map[string]string{}
	for _, p := range results {
		if p.Source != "" && p.Base != nil {
			at[p.Source] = p.Target
		}
		if j.covers(v, p) {
			fresh[p.Target] = p.Source
		}
	}
	var stale []string
	renamed := j.renamed(v, results)
	for name, source := range j.Covered {
		_, there := v.targets[name]
		if now := at[source]; renamed[name] || source != "" && !there && now != "" && now != name {
			stale = append(stale, name)
		}
	}
	j.addCovered(fresh, stale)
}

// covers reports whether a result shows that its target was received.
func (j *Job) covers(v *view, p plan.Result) bool {
	t := v.targets[p.Target]
	switch {
	case p.Target == "" || p.Conflict != nil && p.Conflict.Reason.Waits(): // or it would be source-empty
		return false
	case p.Base != nil, p.Conflict != nil && slices.Contains([]plan.Reason{plan.NotOffered, plan.Vanished, plan.SourceEmpty}, p.Conflict.Reason):
		return true
	}
	return slices.ContainsFunc(t.Versions, func(s dataset.Version) bool { return holds(t, s) })
}

// addCovered changes the list, and tells of it if it is another one by now.
func (j *Job) addCovered(fresh map[string]string, stale []string) {
	for name, source := range fresh {
		if was, listed := j.Covered[name]; listed && (source == "" || was == source) {
			delete(fresh, name)
		}
	}
	if j.Cover == nil || len(fresh)+len(stale) == 0 && !j.Unlisted {
		return
	}
	if j.Covered == nil {
		j.Covered = map[string]string{}
	}
	for _, name := range stale {
		delete(j.Covered, name)
	}
	maps.Copy(j.Covered, fresh)
	j.Cover(fresh, slices.Sorted(slices.Values(stale)))
	j.Unlisted = false
}
