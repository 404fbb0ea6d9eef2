package daemon

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/schedule"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// job is one job and its runs, one at a time.
type job struct {
	d     *daemon
	name  string
	log   *slog.Logger
	asked chan *followed
	woken chan struct{} // its configuration has changed

	mu       sync.Mutex
	c        *config.Job
	steps    []string // subcommands of a run
	gone     bool     // the configuration has it no more: it ends its run
	due      schedule.Job
	next     time.Time               // when it starts next; zero: when told
	paused   bool                    // by a person
	until    time.Time               // zero: until it is resumed
	waiting  bool                    // for its turn
	cancel   context.CancelCauseFunc // of the run
	troubles troubles
	repeats  repeats
	recovers bool // the next run follows on one whose hooks were cut off
	running  bool
	step     string
	since    time.Time
	last     *control.Run
	success  *progress.Time
	progress *progress.Snapshot
	follow   *followed
}

func newJob(d *daemon, c *config.Job) *job {
	j := &job{d: d, name: c.Name, log: d.Log.With("job", c.Name), asked: make(chan *followed), woken: make(chan struct{}, 1)}
	j.c, j.steps = c, stepsOf(c)
	j.remember(timesOf(c, j.steps))
	return j
}

// update gives the job a new configuration. A run that is on goes on with the
// old one.
func (j *job) update(c *config.Job) {
	j.mu.Lock()
	j.c, j.steps, j.gone = c, stepsOf(c), false
	j.due.Adopt(timesOf(c, j.steps), wall())
	j.next, _ = j.due.Look(wall())
	j.mu.Unlock()
	j.wake()
}

// retire ends the job, once its run has ended.
func (j *job) retire() {
	j.mu.Lock()
	j.gone = true
	j.mu.Unlock()
	j.wake()
}

func (j *job) wake() {
	select {
	case j.woken <- struct{}{}:
	default: // it will look anyway
	}
}

// now is the job's configuration of this moment.
func (j *job) now() (c *config.Job, steps []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.c, j.steps
}

// stepsOf says which subcommands a run of a job is made of.
func stepsOf(c *config.Job) (steps []string) {
	if c.Replicates() {
		return []string{string(c.Type)}
	}
	if c.Snapshots() {
		steps = append(steps, "autosnap")
	}
	if c.Prune != nil {
		steps = append(steps, "prune")
	}
	return steps
}

// run makes one run: all steps, also behind one that did not do all of its
// part, and its status is the first that is not 0.
func (j *job) run(ctx context.Context, f *followed) {
	c, steps := j.now()
	daemon := ctx
	ctx, cancel := j.limited(ctx, c, f)
	defer cancel(nil)
	j.mu.Lock()
	j.running, j.since, j.progress, j.follow, j.cancel = true, wall(), nil, f, cancel
	if !leavesOut(c, f.ask.Skip) {
		j.due.Began(j.since)
	}
	j.next, _ = j.due.Look(j.since)
	j.mu.Unlock()
	j.keep()
	j.log.Info("a run begins", "asked", f.isAsked())
	result := control.Run{Started: progress.At(j.since)}
	for _, step := range steps {
		j.mu.Lock()
		j.step = step
		j.mu.Unlock()
		j.d.changed.ring()
		status, reason := j.runStep(ctx, c, step, f)
		if status != 0 && result.Status == 0 {
			result.Status, result.Error = status, reason
		}
		if ctx.Err() != nil {
			break
		}
	}
	j.repeats.turn()
	result.Ended = progress.At(wall())
	if result.Stopped = stopped(ctx, result.Status); result.Stopped {
		result.Error = ""
	}
	j.mu.Lock()
	j.logEnd(ctx, &result)
	j.running, j.step, j.follow, j.cancel = false, "", nil, nil
	// What the daemon has cut off is continued as soon as it may.
	j.due.Owed = result.Stopped && !j.due.None() && (daemon.Err() != nil || context.Cause(ctx) == errWindow)
	j.recoverHooks(&result)
	if result.Status != 0 || !leavesOut(c, f.ask.Skip) { // such a run does not end the failure of a whole one
		j.last = &result
	}
	if result.Status == 0 && !leavesOut(c, f.ask.Skip) {
		j.success = &result.Ended
	}
	if j.progress != nil { // of a run that was killed they may say that something is under way
		left := *j.progress
		left.Datasets = progress.Ended(left.Datasets)
		j.progress = &left
	}
	j.mu.Unlock()
	j.keep()
	f.add(control.Event{Exit: &result.Status})
	j.d.changed.ring()
}

// recoverHooks lets a run follow at once on one that was killed before all of its
// hooks had run, but only once: that one may be killed, too. A run that a person
// stopped is killed if it does not end within stop_timeout. The lock is held.
func (j *job) recoverHooks(result *control.Run) {
	killed := result.Status > 128 && !isPolite(result.Status) && hook.Owes(state.Of(j.d.Config.Global), j.name)
	if killed && !j.recovers && !j.due.None() {
		j.due.Owed = true
	}
	j.recovers = killed && !j.recovers
}

// logEnd says how a run has ended and what it moved. What is wrong is said when
// it changes. The lock is held, and last is the run before.
func (j *job) logEnd(ctx context.Context, result *control.Run) {
	about := []any{"status", result.Status, "took", result.Ended.Sub(result.Started.Time).Round(time.Millisecond)}
	if j.progress != nil {
		moved := 0
		for _, d := range j.progress.Datasets {
			if d.Bytes > 0 {
				moved++
			}
		}
		about = append(about, "bytes", j.progress.Bytes, "datasets", len(j.progress.Datasets), "moved", moved)
	}
	level, what := slog.LevelInfo, "a run has ended"
	switch before := j.last; {
	case result.Stopped:
		what = "a run was stopped"
	case result.Failed() && before != nil && before.Failed() && before.Error == result.Error:
		what = "a run has failed as the one before"
	case result.Failed():
		level, what, about = slog.LevelWarn, "a run has failed", append(about, "error", result.Error)
	case before != nil && before.Failed():
		what = "a run has ended well, after one that failed"
	}
	j.log.Log(ctx, level, what, about...)
}

// leavesOut reports whether a run that skips these parts leaves out what the
// job is for.
func leavesOut(c *config.Job, skip string) bool {
	return c.Replicates() && slices.Contains(strings.Split(skip, ","), "replicate")
}

// stopped reports whether a run ended by a signal that asks politely, the
// daemon's own or a person's.
func stopped(ctx context.Context, status int) bool {
	return isPolite(status) || status != 0 && ctx.Err() != nil
}

// isPolite reports whether a run ended by a signal that lets it run its hooks.
func isPolite(status int) bool {
	switch syscall.Signal(status - 128) {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP:
		return true
	}
	return false
}

// runStep runs one subcommand as a child.
func (j *job) runStep(ctx context.Context, c *config.Job, step string, f *followed) (status int, reason string) {
	seen, err := newReport(maxReport, func(line []byte) { j.told(f, line) })
	if err != nil {
		return cli.TryLater, err.Error()
	}
	stdout, err := newReport(maxLine, func(line []byte) { f.add(control.Event{Stdout: string(line) + "\n"}) })
	if err != nil {
		seen.started()
		return cli.TryLater, err.Error()
	}
	var last control.End
	how, err := newReport(maxLine, func(line []byte) { json.Unmarshal(line, &last) })
	if err != nil {
		seen.started()
		stdout.started()
		return cli.TryLater, err.Error()
	}
	args := append([]string{j.d.Program, step, j.name, "-status-fd", "3"}, j.d.common()...)
	if c.Replicates() { // it has progress, and parts to leave out
		args = append(args, "-progress-fd", "4")
		if f.ask.Skip != "" {
			args = append(args, "-skip", f.ask.Skip)
		}
		if f.ask.Retries != nil {
			args = append(args, "-retries", strconv.Itoa(*f.ask.Retries))
		}
	}
	p, err := j.d.start(ctx, child.Cmd{
		Args: args, Env: append(os.Environ(), control.ChildEnv+"=1"),
		Stdout: stdout.child, Extra: []*os.File{how.child, seen.child},
		StderrCopy: &lineWriter{line: func(s string) {
			j.repeats.log(ctx, j.log, child.Clean(s, 1000))
			f.add(control.Event{Stderr: s + "\n"})
		}},
		Group: true, Lifeline: true,
	})
	stdout.started()
	seen.started()
	how.started()
	if err != nil {
		f.add(control.Event{Stderr: "zreplctl: " + err.Error() + "\n"})
		return 1, err.Error()
	}
	end := p.Wait()
	stdout.heard()
	seen.heard()
	if !how.heard() {
		return end.Code, end.String() // it may still be written
	}
	if last.Error != "" || end.OK() {
		return end.Code, last.Error
	}
	return end.Code, end.String() // it was killed, or never got as far
}

// told takes a line of progress of the run that f follows, unless that is over.
func (j *job) told(f *followed, line []byte) {
	var s progress.Snapshot
	if json.Unmarshal(line, &s) != nil {
		return
	}
	j.mu.Lock()
	over := j.follow != f
	if !over {
		j.progress = &s
	}
	j.mu.Unlock()
	if over {
		return
	}
	f.add(control.Event{Progress: &s})
	j.d.changed.ring()
}
