package replicate

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Forget releases the job's hold on targets that it received once, so that a
// run reports them no more, and returns those that are covered no longer. It
// refuses those that the sender still has; with dry it only looks. A target may
// be named by its source. It does not matter that the sender has nothing left, as
// when its select leaves out the last dataset. Where a target lacks older snapshots, the job holds
// the newest common one instead, and goes on from there.
func (j *Job) Forget(ctx context.Context, names []string, dry bool) (left []Left, targets []string, err error) {
	in := transfer.ListRequest{Thorough: true}
	from, to, err := j.lists(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	v, err := j.viewOf(ctx, in, from, to)
	if err != nil {
		return nil, nil, err
	}
	results, err := j.plan(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	sources, err := j.Receiver.Targets(ctx, names)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot find out where datasets go: %w", err)
	}
	var f forgotten
	for _, name := range names {
		named := func(target string) bool {
			return target == name || sources[name] != "" && target == sources[name] || j.Covered[target] == name
		}
		if err := f.addNamed(j, v, results, name, named); err != nil {
			return nil, nil, err
		}
	}
	if dry {
		return f.left, f.targets, nil
	}
	return f.left, f.targets, f.protect(ctx, j)
}

// addNamed adds the results and the listed targets that a name is for.
func (f *forgotten) addNamed(j *Job, v *view, results []plan.Result, name string, named func(target string) bool) error {
	found, offered := false, false
	for _, p := range results {
		switch {
		case !named(p.Target), p.Source == "" && p.Conflict == nil: // a placeholder may be in its place
		case forgets(p.Conflict):
			found = true
			f.add(v, p)
		default:
			offered = true
		}
	}
	if offered && !found {
		return fmt.Errorf("the sender still offers %q with its snapshots: leave it out in the job's rules first", name)
	}
	for target := range j.Covered { // that the job's rules have no place for by now
		if named(target) && !slices.ContainsFunc(results, func(p plan.Result) bool { return p.Target == target }) {
			found = true
			f.uncover(target)
		}
	}
	if !found {
		return fmt.Errorf("the job never received %q, or it was forgotten: nothing to forget", name)
	}
	return nil
}

func forgets(c *plan.Conflict) bool {
	return c != nil && slices.Contains([]plan.Reason{plan.NotOffered, plan.SourceEmpty, plan.OlderMissing}, c.Reason)
}

// forgotten is what the ends hold and release, and what was released.
type forgotten struct {
	here, there       transfer.Holds
	oldHere, oldThere transfer.Holds
	left              []Left
	targets           []string // that are covered no longer
}

// uncover notes that a target is covered no longer.
func (f *forgotten) uncover(target string) {
	if !slices.Contains(f.targets, target) {
		f.targets = append(f.targets, target)
	}
}

func (f *forgotten) add(v *view, p plan.Result) {
	if p.Newest != nil {
		f.there.Hold = append(f.there.Hold, snap(p.Target, p.Newest.Receiver))
		if p.Newest.Sender.Kind == dataset.Snapshot {
			f.here.Hold = append(f.here.Hold, snap(p.Source, p.Newest.Sender))
		}
		source := v.sources[p.Source]
		for _, s := range source.Versions {
			if holds(source, s) && s.GUID != p.Newest.Sender.GUID {
				f.oldHere.Release = append(f.oldHere.Release, snap(p.Source, s))
			}
		}
	}
	if p.Conflict.Reason != plan.OlderMissing {
		f.uncover(p.Target)
	}
	t := v.targets[p.Target]
	for _, s := range t.Versions {
		if holds(t, s) {
			f.oldThere.Release = append(f.oldThere.Release, snap(t.Name, s))
			f.left = append(f.left, Left{Receiver: true, Name: s.Full(t.Name)})
		}
	}
}

// protect puts the new holds in place before the old ones go.
func (f *forgotten) protect(ctx context.Context, j *Job) error {
	f.here.Confirm, f.there.Confirm = true, true
	for _, end := range []struct {
		protect protect
		in      transfer.Holds
	}{{j.Sender.Protect, f.here}, {j.Receiver.Protect, f.there}, {j.Receiver.Protect, f.oldThere}, {j.Sender.Protect, f.oldHere}} {
		if len(end.in.Hold)+len(end.in.Release) == 0 {
			continue
		}
		bad, err := end.protect(ctx, end.in)
		if err != nil {
			return err
		}
		for _, problem := range bad {
			return problem.Err()
		}
	}
	return nil
}
