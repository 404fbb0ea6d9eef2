package job

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// leftOut reports whether a dataset is there and select does not choose it.
func leftOut(j *config.Job, name string) bool {
	c, there := j.Choices[name]
	return there && !c.Chosen
}

// choose looks which datasets the job's select chooses now.
func (r *Run) choose(ctx context.Context) error {
	j, err := choose.Look(ctx, r.Programs.ZFS, r.Job)
	if err == nil {
		r.Job = j
	}
	return err
}

// tellChosen says how many datasets select has chosen, and where to read more.
func (r *Run) tellChosen() {
	if r.Job.Select == nil {
		return
	}
	names, chosen := choose.Listed(r.Job), 0
	for _, name := range names {
		if r.Job.Choices[name].Chosen {
			chosen++
		}
	}
	r.tell(fmt.Sprintf("%d of the %d datasets that the rules allow have %q: zreplctl show %s datasets prints which, and why", chosen, len(names), r.Job.Select, r.Job.Name))
}

// chooseSome is choose, and an error if it chooses nothing.
func (r *Run) chooseSome(ctx context.Context) error {
	if err := r.choose(ctx); err != nil {
		return err
	}
	return choose.None(r.Job)
}

// joinOnce joins errors, without those that say the same: each part of a run
// finds that select chooses nothing.
func joinOnce(errs []error) error {
	var said []string
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool {
		if err == nil || slices.Contains(said, err.Error()) {
			return true
		}
		said = append(said, err.Error())
		return false
	})...)
}
