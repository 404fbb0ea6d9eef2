package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// ReadCopies returns the targets that a job has ever received, each with its
// source, "" if that is not known, as far as the job's configuration still has
// a place for them. Whole is false if the list was lost, or may lack some.
func ReadCopies(dir state.Dir, j *config.Job) (sources map[string]string, whole bool, err error) {
	sources, whole, err = dir.Covered(j.Name).Read()
	for target := range sources {
		if !hasPlace(j, target) {
			delete(sources, target)
		}
	}
	return sources, whole, err
}

// hasPlace reports whether a target is below one that the job's rules name. What
// a sink has is for the sink to say.
func hasPlace(j *config.Job, target string) bool {
	roots := targetsHere(j)
	return len(roots) == 0 || slices.ContainsFunc(roots, func(root string) bool { return dataset.Within(target, root) })
}

// withCovered gives an engine the list of what earlier runs have received. A
// list that is damaged is made anew, from all that is held.
func (r *Run) withCovered(j *replicate.Job) *replicate.Job {
	covered, whole, err := ReadCopies(r.state(), r.Job)
	if err != nil {
		r.tell(fmt.Sprintf("looking at all holds: cannot read which copies the job has: %v", err))
	}
	j.Covered, j.Unlisted = covered, !whole
	b, _ := ReadBases(r.state(), r.Job.Name) // if it is damaged: what was renamed counts as gone
	j.Noted = b.Target
	return j
}

// keepCovered lets an engine add to the list. It does not stop a run that the
// list cannot be written: replication matters more.
func (r *Run) keepCovered(j *replicate.Job) {
	lookedAtAll := j.Unlisted
	j.Cover = func(fresh map[string]string, stale []string) {
		fits, err := r.state().Covered(r.Job.Name).Add(fresh, stale, lookedAtAll)
		r.noteCovered(fits, err)
	}
	j.Renamed = func(now map[string]string) {
		if err := r.state().Verified(r.Job.Name).Move(now); err != nil {
			r.uncovered = cmp.Or(r.uncovered, fmt.Errorf("cannot note what was compared of copies that were renamed: %w", err))
		}
	}
}

func (r *Run) noteCovered(fits bool, err error) {
	switch {
	case err != nil:
		r.uncovered = cmp.Or(r.uncovered, fmt.Errorf("cannot note which copies the job has: %w", err))
	case !fits:
		r.tell("the list of the copies that the job has is full: each run looks at all holds, until some are forgotten")
	}
}

func (r *Run) tell(text string) {
	if r.Say != nil {
		r.Say(text)
	}
}

// Forget releases the job's holds on what it received once and the sender has
// no more. See replicate.Job.Forget.
func (r *Run) Forget(ctx context.Context, names []string, dry bool) ([]replicate.Left, error) {
	done, err := KeepAway(ctx, r.Global.RunDir, r.Job.Name)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := r.choose(ctx); err != nil {
		return nil, err
	}
	sender, receiver, closeAll, err := r.Programs.ends(r.Job, runID(), r.state())
	if err != nil {
		return nil, err
	}
	defer closeAll()
	j := r.withCovered(&replicate.Job{Sender: sender, Receiver: receiver, Policy: policy(r.Job), Targets: targetsHere(r.Job)})
	if all, _, err := r.state().Covered(r.Job.Name).Read(); err == nil {
		j.Covered = all // a person may also name what has no place in the rules by now
	}
	left, targets, err := j.Forget(ctx, names, dry)
	if err != nil {
		return left, err
	}
	slices.Sort(targets)
	for _, target := range targets {
		held := func(l replicate.Left) bool { ds, _, _ := dataset.Split(l.Name); return ds == target }
		if !slices.ContainsFunc(left, held) {
			left = append(left, replicate.Left{Receiver: true, Name: target})
		}
	}
	if dry {
		return left, nil
	}
	if err := r.state().Covered(r.Job.Name).Remove(targets); err != nil {
		return left, err
	}
	return left, errors.Join(r.state().Verified(r.Job.Name).Update(nil, targets), r.state().Vanished(r.Job.Name).Forget(targets), r.forgetRows(targets))
}
