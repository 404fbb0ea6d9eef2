// Package job runs one job of the configuration once, or serves one
// connection of a client.
//
// It promises that two runs of a job never overlap, and that the error of a
// run, the job's record and the exit status say the same. It prints nothing.
package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Run is one run of an active job.
type Run struct {
	Global   config.Global
	Job      *config.Job
	Programs Programs
	Retries  int // see replicate.Job
	Tracker  *progress.Tracker
	Say      func(string)
	// Watched says that somebody watches: sizes are then estimated.
	Watched bool
	// Before and After are the parts that are not replication: they take
	// snapshots and prune. Nil: not wanted. After runs only where the
	// replication was not cut off, since it destroys.
	Before, After func(context.Context) error
	// NoReplication leaves the replication out.
	NoReplication bool
	// Hooks are the job's; nil: it has none. Those of before and after belong
	// to a whole run, and those of snapshots to whoever takes them.
	Hooks *hook.Hooks
	// ExitStatus is the exit status that an error stands for.
	ExitStatus func(error) int
	// LetGo says that copies may go whose sources are gone, as the job's configuration
	// says; a run that does not prune leaves them. Gone is told their names; may be nil.
	LetGo bool
	Gone  func(name string) error

	gone      []string // copies that went
	broken    error    // Gone's
	engine    *replicate.Job
	alone     bool  // no daemon runs
	uncovered error // the list of what is covered could not be written
	// Part names the command, if it does one part of the job. See part.
	Part string
}

// part is what this run does of the job, by the name of the command that does
// the same; empty: all of it. A run that only leaves out snapshots or prune
// counts as whole: it has seen both sides.
func (r *Run) part() string {
	switch {
	case r.Part != "" || !r.NoReplication || !r.Job.Replicates():
		return r.Part
	case r.Before != nil && r.After != nil:
		return upkeepPart
	case r.Before != nil:
		return "autosnap"
	case r.After != nil:
		return "prune"
	}
	return "nothing"
}

// upkeepPart is the part of a run that takes snapshots and prunes, and does not
// replicate.
const upkeepPart = "upkeep"

// state is where the job's runs leave what later ones read.
func (r *Run) state() state.Dir { return state.Of(r.Global) }

// Do runs the job. The error is ErrRunning, or a *DatasetsError where only
// some datasets failed, or says why nothing could be done.
func (r *Run) Do(ctx context.Context) (err error) {
	file, err := lock(ctx, r.Global.RunDir, r.Job.Name)
	if err != nil {
		return err
	}
	defer file.Close()
	if r.Tracker == nil {
		r.Tracker = &progress.Tracker{}
	}
	started := time.Now()
	_, daemon := ReadDaemon(r.state())
	r.alone = !daemon
	before := killed(r.state(), r.Job.Name)
	begin(r.state(), r.Job.Name, r.part())
	if unshared := r.state().Shared(); unshared != nil && r.Say != nil {
		r.Say("warning: " + unshared.Error())
	}
	defer func() {
		if left := r.leave(started, before, err, ctx.Err() != nil); left != nil {
			err = unusableOnce(errors.Join(err, left))
		}
	}()
	return r.hooked(ctx, func() error {
		var errs []error
		if r.Before != nil {
			errs = append(errs, r.Before(ctx))
		}
		if !r.NoReplication && !hook.Aborts(errors.Join(errs...)) {
			errs = append(errs, r.replicate(ctx, file))
		}
		if r.After != nil && ctx.Err() == nil && !hook.Aborts(errors.Join(errs...)) {
			errs = append(errs, r.After(ctx))
		}
		return joinOnce(errs)
	})
}

// hooked does what a run does between its hooks, and first what a run that was
// killed left to them.
func (r *Run) hooked(ctx context.Context, parts func() error) error {
	if r.Hooks == nil { // it may have had some
		r.Hooks = hook.Of(r.Job, r.state(), r.Say)
	}
	err := r.Hooks.Recover(ctx)
	if r.Part == "" && !hook.Aborts(err) {
		err = errors.Join(err, r.Hooks.Before(ctx))
	}
	if !hook.Aborts(err) {
		err = errors.Join(err, parts())
	}
	if r.Part == "" {
		err = errors.Join(err, r.Hooks.After(ctx, err))
	}
	return err
}

// leave writes the record and the history of a run that has ended. Without the
// record the note of its beginning stays: the old record must not be taken for
// that of this run.
func (r *Run) leave(started time.Time, before []Past, err error, stopped bool) error {
	unwritten := r.record(started, before, err, stopped)
	if unwritten == nil {
		end(r.state(), r.Job.Name)
	} else {
		unwritten = fmt.Errorf("cannot write the record of the run: %w", unwritten)
	}
	past := append(before, r.past(progress.At(started), progress.At(time.Now()), err, stopped))
	return errors.Join(unwritten, logRuns(r.state(), r.Job.Name, past...))
}

func (r *Run) replicate(ctx context.Context, lock *os.File) error {
	defer noteProgress(r.state(), r.Job.Name, r.Tracker)()
	files, endRates, err := rates(r.Global, r.Job)
	if err != nil {
		return err
	}
	defer endRates()
	if err := r.chooseSome(ctx); err != nil {
		return err
	}
	programs := r.Programs
	programs.rates, programs.say = files, r.Say
	sender, receiver, closeAll, err := programs.ends(r.Job, runID(), r.state(), lock)
	if err != nil {
		return err
	}
	defer closeAll()
	mark, began := markPath(r.Global.RunDir, r.Job.Name), time.Now()
	looked, left := takeMark(mark, rulesOf(r.Job))
	j := r.withCovered(&replicate.Job{Sender: sender, Receiver: receiver, Policy: policy(r.Job), Parallel: r.Job.Parallel,
		Thorough: looked.IsZero(), Unreleased: left, Cramped: r.cramped(), Retries: r.Retries,
		Tracker: r.Tracker, Say: r.Say, Named: named(r.Job), Targets: targetsHere(r.Job), Estimate: r.Watched})
	r.keepCovered(j)
	going := r.withVanished(j, receiver, false)
	r.engine = j
	err = j.Run(ctx)
	if j.Tidy() {
		if looked.IsZero() {
			looked = began
		}
		putMark(mark, rulesOf(r.Job), looked, j.Left())
	}
	noted := r.noteBases()
	if err == nil || errors.Is(err, replicate.ErrIncomplete) {
		noted = cmp.Or(going.letGo(ctx), noted)
	}
	if failed := r.failures(); err == nil && len(failed) > 0 || errors.Is(err, replicate.ErrIncomplete) {
		return &DatasetsError{failed}
	}
	return cmp.Or(err, noted, r.uncovered)
}

// cramped are the targets that had no room in the last run.
func (r *Run) cramped() (targets []string) {
	old, err := ReadRecord(r.state(), r.Job.Name)
	if err != nil {
		return nil
	}
	for _, d := range old.Datasets {
		if d.Reason == string(plan.NoSpace) {
			targets = append(targets, d.Target)
		}
	}
	return targets
}

// Bases returns what the replication has found to be the newest common version
// of each dataset; see replicate.Job.Bases.
func (r *Run) Bases() (source, target map[string][]dataset.GUID, looked bool) {
	if r.engine == nil {
		return nil, nil, false
	}
	return r.engine.Bases()
}

// targetsHere returns the targets on this host that a job's rules name.
func targetsHere(j *config.Job) []string {
	switch {
	case j.Type != config.Pull && j.Type != config.Local:
		return nil
	case j.Mapping != nil:
		return j.Mapping.Targets()
	}
	return []string{j.Root}
}

// named returns the datasets that the job itself names. What a source offers
// its clients is another matter.
func named(j *config.Job) []string {
	for _, rules := range []*mapfilter.Rules{j.Mapping, j.Datasets} {
		if rules != nil {
			return slices.DeleteFunc(rules.Named(), func(name string) bool { return leftOut(j, name) })
		}
	}
	return nil
}

func (r *Run) failures() []progress.Dataset { return failedRows(r.Tracker.Snapshot().Datasets) }

func failedRows(all []progress.Dataset) (failed []progress.Dataset) {
	for _, d := range all {
		if d.State == progress.Failed {
			failed = append(failed, d)
		}
	}
	return failed
}

// Abandon lets go of all that the job protects on both sides. See
// replicate.Job.Abandon.
func (r *Run) Abandon(ctx context.Context, dry bool) ([]replicate.Left, error) {
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
	j := &replicate.Job{Sender: sender, Receiver: receiver}
	if !dry {
		if err := r.state().Remove(basesName(r.Job.Name)); err != nil {
			return nil, err
		}
	}
	left, err := j.Abandon(ctx, dry)
	if err != nil || dry {
		return left, err
	}
	return left, errors.Join(r.state().Covered(r.Job.Name).Drop(), r.state().Vanished(r.Job.Name).Drop())
}

// Plan returns what a run would do, and changes nothing.
func (r *Run) Plan(ctx context.Context) ([]plan.Result, error) {
	if err := r.chooseSome(ctx); err != nil {
		return nil, err
	}
	r.tellChosen()
	sender, receiver, closeAll, err := r.Programs.ends(r.Job, "", r.state())
	if err != nil {
		return nil, err
	}
	defer closeAll()
	j := r.withCovered(&replicate.Job{Sender: sender, Receiver: receiver, Policy: policy(r.Job), Named: named(r.Job),
		Targets: targetsHere(r.Job), Say: r.Say})
	r.withVanished(j, receiver, true)
	return j.Plan(ctx)
}

// PlanSizes is Plan with about how many bytes the stream of each step has; 0: it
// is not known.
func (r *Run) PlanSizes(ctx context.Context) ([]plan.Result, [][]uint64, error) {
	if err := r.chooseSome(ctx); err != nil {
		return nil, nil, err
	}
	r.tellChosen()
	sender, receiver, closeAll, err := r.Programs.ends(r.Job, "", r.state())
	if err != nil {
		return nil, nil, err
	}
	defer closeAll()
	j := r.withCovered(&replicate.Job{Sender: sender, Receiver: receiver, Policy: policy(r.Job), Named: named(r.Job),
		Targets: targetsHere(r.Job), Say: r.Say})
	r.withVanished(j, receiver, true)
	return j.PlanSizes(ctx)
}
