package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// An AdvisedError comes with what to type.
type AdvisedError struct {
	err  error
	hint string
}

func (e *AdvisedError) Error() string { return e.err.Error() }
func (e *AdvisedError) Unwrap() error { return e.err }

// Hint says what a person can do.
func (e *AdvisedError) Hint() string { return e.hint }

func advised(hint, format string, args ...any) error {
	return &AdvisedError{fmt.Errorf(format, args...), hint}
}

const otherTarget = "name another target"

func checkTargetName(target string) error {
	if err := dataset.CheckName(target); err != nil {
		return fmt.Errorf("bad target name %q: %w", target, err)
	}
	if strings.Contains(target, ":") { // it stands for "/" in the tag of the holds
		return advised(otherTarget+"; when the result is complete, zfs rename can rename it", `bad target name %q: a restore's target has no ":"`, target)
	}
	return nil
}

// meantCopy is the copy that a name means: itself, if it lies where the job receives,
// or else where the job's rules map it.
func meantCopy(j *config.Job, name string) (copy string, ok bool) {
	for _, root := range j.Targets() {
		if dataset.Within(name, root) {
			return name, true
		}
	}
	switch {
	case j.Mapping != nil:
		return j.Mapping.Map(name)
	case j.Root != "":
		return j.Root + "/" + name, true
	}
	return "", false
}

// place finds out which copy is meant, and refuses a target that is in some
// job's way.
func (r *Restore) place(ctx context.Context) error {
	if err := dataset.CheckName(r.Dataset); err != nil {
		return fmt.Errorf("bad dataset name %q: %w", r.Dataset, err)
	}
	if err := r.named(); err != nil {
		return err
	}
	if r.far() { // what is known here is said before anybody is asked
		if err := r.free(ctx); err != nil {
			return err
		}
	}
	copy, ok, err := r.from.find(ctx)
	if err != nil {
		return err
	}
	if r.copy = copy; !ok || dataset.CheckName(copy) != nil {
		return advised(fmt.Sprintf("zreplctl show %s rules prints what it copies, and where to", r.Run.Job.Name),
			"the job has no copy of %q, and no copy of that name", r.Dataset)
	}
	if r.far() { // the target is on another host
		return nil
	}
	if dataset.Within(r.Target, r.copy) || dataset.Within(r.copy, r.Target) {
		return advised(otherTarget, "the target %q and the copy %q are in one tree", r.Target, r.copy)
	}
	return r.free(ctx)
}

// free refuses a target that some job covers, or that cannot be made.
func (r *Restore) free(ctx context.Context) error {
	for _, j := range r.Jobs {
		if does := claims(j, r.Target); does != "" {
			hint := "name another target, which no job covers"
			if does != receivesInto {
				hint += fmt.Sprintf("; a rule such as %q: \"!\" in job %q makes a place for one (zfs rename cannot move a result to another pool)", cmp.Or(dataset.Parent(r.Target), r.Target)+"/restored<", j.Name)
			}
			return advised(hint, "job %q %s %q", j.Name, does, r.Target)
		}
	}
	return r.checkAbove(ctx)
}

const receivesInto = "receives into"

// claims says what a job does with a dataset or something below it, or what it
// could do with all that is placed there; empty: nothing.
func claims(j *config.Job, target string) string {
	tree, err := mapfilter.Parse([]mapfilter.Rule{{Pattern: target + "<", Result: "ok"}})
	if err != nil {
		return "cannot be compared with" // the name was checked: that does not happen
	}
	for _, side := range j.Sides() {
		_, common := mapfilter.Common(side.Region, tree.From())
		for _, root := range side.Roots {
			common = common || side.Name == config.TargetSide && (dataset.Within(target, root) || dataset.Within(root, target))
		}
		switch {
		case !common:
		case side.Name == config.TargetSide:
			return receivesInto
		case j.Sends():
			return "sends from"
		default:
			return "takes or prunes snapshots of"
		}
	}
	return ""
}

// checkAbove refuses a target without a parent, and one below a placeholder of
// any job, also of one that is not in the configuration.
func (r *Restore) checkAbove(ctx context.Context) error {
	parent := dataset.Parent(r.Target)
	if parent == "" {
		return advised("name a dataset below it, such as "+r.Target+"/restored", "%q is a pool's own dataset", r.Target)
	}
	var names []string
	for above := parent; above != ""; above = dataset.Parent(above) {
		names = append(names, above)
	}
	list, err := r.Run.Programs.ZFS.Datasets(ctx, names, false, endpoint.PlaceholderProperty, endpoint.ZreplPlaceholder)
	if err := zfs.Present(err); err != nil {
		return err
	}
	there := false
	for _, d := range list {
		there = there || d.Name == parent && d.Type == "filesystem"
		if endpoint.Marked(d) {
			return advised(otherTarget, "%q lies below %q, which carries the copies of a job", r.Target, d.Name)
		}
	}
	if !there {
		return advised("create it, or name another target", "the filesystem %q above the target does not exist", parent)
	}
	return nil
}

var errNotOurs = errors.New("a restore never overwrites, and continues only what it has begun itself")
