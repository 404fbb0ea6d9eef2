package daemon

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
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
)

// job is one job and its runs, one at a time.
type job struct {
	d     *daemon
	c     *config.Job
	log   *slog.Logger
	steps []string // subcommands of a run
	asked chan *followed

	mu       sync.Mutex
	clock    clock
	running  bool
	step     string
	since    time.Time
	last     *control.Run
	success  *progress.Time
	progress *progress.Snapshot
	follow   *followed
}

func newJob(d *daemon, c *config.Job) *job {
	j := &job{d: d, c: c, log: d.Log.With("job", c.Name), steps: stepsOf(c), asked: make(chan *followed)}
	if len(j.steps) > 0 {
		j.clock.interval = c.Interval
	}
	return j
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
	j.mu.Lock()
	j.running, j.since, j.progress, j.follow = true, wall(), nil, f
	j.clock.begun(j.since)
	j.mu.Unlock()
	result := control.Run{Started: progress.At(j.since)}
	for _, step := range j.steps {
		j.mu.Lock()
		j.step = step
		j.mu.Unlock()
		j.d.changed.ring()
		status, reason := j.runStep(ctx, step, f)
		if status != 0 && result.Status == 0 {
			result.Status, result.Error = status, reason
		}
		if ctx.Err() != nil {
			break
		}
	}
	result.Ended = progress.At(wall())
	if result.Stopped = stopped(ctx, result.Status); result.Stopped {
		result.Error = ""
	}
	level := slog.LevelInfo
	if result.Failed() {
		level = slog.LevelWarn
	}
	j.log.Log(ctx, level, "a run has ended", "status", result.Status, "stopped", result.Stopped, "took", result.Ended.Sub(result.Started.Time).Round(time.Millisecond))
	j.mu.Lock()
	j.running, j.step, j.follow = false, "", nil
	if result.Status != 0 || !j.leavesOut(f.ask.Skip) { // such a run does not end the failure of a whole one
		j.last = &result
	}
	if result.Status == 0 && !j.leavesOut(f.ask.Skip) {
		j.success = &result.Ended
	}
	if j.progress != nil { // of a run that was killed they may say that something is under way
		left := *j.progress
		left.Datasets = progress.Ended(left.Datasets)
		j.progress = &left
	}
	j.mu.Unlock()
	f.add(control.Event{Exit: &result.Status})
	j.d.changed.ring()
}

// leavesOut reports whether a run that skips these parts leaves out what the
// job is for.
func (j *job) leavesOut(skip string) bool {
	return j.c.Replicates() && slices.Contains(strings.Split(skip, ","), "replicate")
}

// stopped reports whether a run ended by a signal that asks politely, the
// daemon's own or a person's.
func stopped(ctx context.Context, status int) bool {
	switch syscall.Signal(status - 128) {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP:
		return true
	}
	return status != 0 && ctx.Err() != nil
}

// runStep runs one subcommand as a child.
func (j *job) runStep(ctx context.Context, step string, f *followed) (status int, reason string) {
	seen, err := newReport(maxReport, func(line []byte) { j.told(f, line) })
	if err != nil {
		return cli.TryLater, err.Error()
	}
	stdout, err := newReport(maxLine, func(line []byte) { f.add(control.Event{Stdout: string(line) + "\n"}) })
	if err != nil {
		seen.started()
		return cli.TryLater, err.Error()
	}
	args := append([]string{j.d.Program, step, j.c.Name}, j.d.common()...)
	if j.c.Replicates() { // it has progress, and parts to leave out
		args = append(args, "-progress-fd", "3")
		if f.ask.Skip != "" {
			args = append(args, "-skip", f.ask.Skip)
		}
		if f.ask.Retries != nil {
			args = append(args, "-retries", strconv.Itoa(*f.ask.Retries))
		}
	}
	tail := &child.Tail{Max: 2 << 10}
	p, err := child.Start(ctx, child.Cmd{
		Args: args, Env: append(os.Environ(), control.ChildEnv+"=1"),
		Stdout: stdout.child, Extra: []*os.File{seen.child}, Stderr: tail,
		StderrCopy: &lineWriter{line: func(s string) { j.log.Log(ctx, level(s), child.Clean(s, 1000)); f.add(control.Event{Stderr: s + "\n"}) }},
		Group:      true, Lifeline: true,
	})
	stdout.started()
	seen.started()
	if err != nil {
		f.add(control.Event{Stderr: "zreplctl: " + err.Error() + "\n"})
		return 1, err.Error()
	}
	end := p.Wait()
	for _, r := range []*report{stdout, seen} { // a grandchild may hold them
		select {
		case <-r.done:
		case <-time.After(time.Second):
		}
	}
	if reason = errorsIn(end.Stderr); reason == "" && !end.OK() {
		reason = end.String() // it was killed
	}
	return end.Code, reason
}

// level is how much a line that a program said matters.
func level(line string) slog.Level {
	if strings.HasPrefix(line, "zreplctl: cannot ") {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// errorsIn leaves of what a program said what went wrong, in one line.
func errorsIn(stderr string) string {
	var said []string
	for line := range strings.Lines(stderr) {
		text, ours := strings.CutPrefix(line, "zreplctl: ")
		if ours && !strings.HasPrefix(text, "hint: ") {
			said = append(said, text)
		}
	}
	if said == nil {
		return child.Clean(stderr, 1000)
	}
	return child.Clean(strings.Join(said, ""), 1000)
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

// state is what there is to see.
func (j *job) state() control.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := control.Job{Name: j.c.Name, Type: string(j.c.Type), State: control.Idle,
		Step: j.step, Last: j.last, Success: j.success, Progress: j.progress}
	switch {
	case j.running:
		s.State = control.Running
		since := progress.At(j.since)
		s.Since = &since
	case j.last != nil && j.last.Failed():
		s.State = control.Failed
	case len(j.steps) == 0:
		s.State = control.Serving
	}
	if j.clock.interval > 0 {
		next := progress.At(j.clock.next)
		s.Next = &next
	}
	return s
}

// Status implements control.Daemon.
func (d *daemon) Status() control.Status {
	s := control.Status{PID: d.PID, Started: progress.At(d.Started), Config: d.Config.Path, Jobs: []control.Job{}}
	for _, j := range d.jobs {
		one := j.state()
		for _, c := range d.clients {
			if c.job == j.c {
				connections, problem := c.state()
				one.Clients = append(one.Clients, c.identity)
				one.Connections = append(one.Connections, connections...)
				if problem != "" {
					one.Problem = strings.TrimPrefix(one.Problem+"; "+problem, "; ")
				}
				if one.Problem != "" && one.State != control.Running {
					one.State = control.Broken
				}
			}
		}
		s.Jobs = append(s.Jobs, one)
	}
	return s
}

// Watch implements control.Daemon.
func (d *daemon) Watch(ctx context.Context) iter.Seq[control.Status] {
	return func(yield func(control.Status) bool) {
		for ctx.Err() == nil {
			changed := d.changed.next()
			if !yield(d.Status()) {
				return
			}
			pause(ctx, time.Second)
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// busyAfter is how long a job may take to take a request: at once, unless a
// run is on.
const busyAfter = 300 * time.Millisecond

// sameFile reports whether two paths are those of one file, which may have
// been replaced since the daemon read it.
func sameFile(a, b string) bool {
	if one, err := os.Stat(a); err == nil {
		if other, err := os.Stat(b); err == nil && os.SameFile(one, other) {
			return true
		}
	}
	absolute, err := filepath.Abs(b)
	return err == nil && a == absolute
}

// Run implements control.Daemon.
func (d *daemon) Run(ctx context.Context, r control.Request) (iter.Seq[control.Event], error) {
	for _, j := range d.jobs {
		if j.c.Name != r.Job || !sameFile(r.Config, d.Config.Path) {
			continue
		}
		if len(j.steps) == 0 {
			return nil, control.ErrNoJob
		}
		f := newFollowed(r)
		select {
		case j.asked <- f:
			return f.events(ctx), nil
		case <-time.After(busyAfter):
			return nil, control.ErrBusy
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return nil, control.ErrNoJob
}
