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
// run reports them no more. It refuses those that the sender still has; with
// dry it only looks. A target may be named by its source. Where a target lacks
// older snapshots, the job holds the newest common one instead, and goes on
// from there.
func (j *Job) Forget(ctx context.Context, names []string, dry bool) ([]Left, error) {
	v, err := j.look(ctx, transfer.ListRequest{Thorough: true})
	if err != nil {
		return nil, err
	}
	results, err := j.plan(ctx, v)
	if err != nil {
		return nil, err
	}
	sources, err := j.Receiver.Targets(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("cannot find out where datasets go: %w", err)
	}
	var f forgotten
	for _, name := range names {
		i := slices.IndexFunc(results, func(p plan.Result) bool {
			return p.Target == name || sources[name] != "" && p.Target == sources[name]
		})
		switch {
		case i < 0:
			return nil, fmt.Errorf("%q has no hold of the job: nothing to forget", name)
		case !forgets(results[i].Conflict):
			return nil, fmt.Errorf("the sender still offers %q with its snapshots: leave it out in the job's rules first", name)
		}
		f.add(v, results[i])
	}
	if dry || len(f.left) == 0 {
		return f.left, nil
	}
	return f.left, f.protect(ctx, j)
}

func forgets(c *plan.Conflict) bool {
	return c != nil && slices.Contains([]plan.Reason{plan.NotOffered, plan.SourceEmpty, plan.OlderMissing}, c.Reason)
}

// forgotten is what the ends hold and release, and what was released.
type forgotten struct {
	here, there       transfer.Holds
	oldHere, oldThere transfer.Holds
	left              []Left
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
			return fmt.Errorf("%s", problem)
		}
	}
	return nil
}
