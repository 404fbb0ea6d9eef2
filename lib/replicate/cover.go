package replicate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// newestFew is how many snapshots of a target that nothing is sent to are
// looked at first: the hold of who received it is on one of the newest.
const newestFew = 8

// doubtful are the newest snapshots of the targets whose source is not offered
// or has none: the job's hold on one of them tells that it was received once.
func (v *view) doubtful(results []plan.Result, most int) (out []transfer.Snap) {
	for _, name := range v.uncovered(results) {
		var snaps []transfer.Snap
		for _, s := range slices.Backward(v.targets[name].Versions) {
			if s.Kind == dataset.Snapshot && len(snaps) < most {
				snaps = append(snaps, snap(name, s))
			}
		}
		out = append(out, snaps...)
	}
	return out
}

// uncovered are the targets that have snapshots, and whose source is not
// offered or has no snapshot.
func (v *view) uncovered(results []plan.Result) (names []string) {
	taken := map[string]bool{}
	for _, p := range results {
		if p.Conflict == nil || p.Conflict.Reason != plan.NoSnapshots {
			taken[p.Target] = true
		}
	}
	for name, t := range v.targets {
		if !taken[name] && !t.Above && len(t.Versions) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// mostOlder is how many snapshots of one target are looked at in all.
const mostOlder = 1000

// findOlder looks on where the newest few are not held, and the target bears
// the mark of what was received: somebody may take many snapshots there.
func (j *Job) findOlder(ctx context.Context, v *view, results []plan.Result) error {
	var ask []transfer.Snap
	for _, s := range v.doubtful(results, mostOlder) {
		if t := v.targets[s.Dataset]; len(t.Held) == 0 && t.Recorded != "" && len(t.Versions) > newestFew {
			ask = append(ask, s)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	held, err := j.Receiver.Held(ctx, ask)
	if err != nil {
		return fmt.Errorf("cannot ask the receiver what is held: %w", err)
	}
	note(v.targets, held)
	return nil
}

// cover adds to results what the job has received once and the sender has not
// any more: until a person says that it is to be forgotten, done would not
// mean that everything is there.
func (v *view) cover(results []plan.Result) []plan.Result {
	at := map[string]int{}
	for i, p := range results {
		at[p.Target] = i
	}
	for _, name := range v.uncovered(results) {
		t := v.targets[name]
		newest := slices.IndexFunc(t.Versions, func(s dataset.Version) bool { return holds(t, s) })
		if newest < 0 {
			continue
		}
		if i, ok := at[name]; ok {
			results[i].Emptied()
		} else {
			results = append(results, plan.Gone(name, t.Versions[newest]))
		}
	}
	slices.SortStableFunc(results, func(a, b plan.Result) int { return strings.Compare(a.Target, b.Target) })
	return results
}
