package daemon

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// state is what there is to see.
func (j *job) state() control.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := control.Job{Name: j.name, Type: string(j.c.Type), State: control.Idle,
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
	switch {
	case s.State == control.Running:
	case j.waiting:
		s.State = control.Waiting
	case j.paused:
		s.State = control.Paused
	}
	if j.paused {
		s.Paused = true
		if !j.until.IsZero() {
			until := progress.At(j.until)
			s.Until = &until
		}
	}
	if !j.due.None() && !j.next.IsZero() {
		next := progress.At(j.next)
		s.Next = &next
	}
	return s
}

// Status implements control.Daemon.
func (d *daemon) Status() control.Status {
	s := control.Status{PID: d.PID, Started: progress.At(d.Started), Config: d.Config.Path, Jobs: []control.Job{}}
	jobs, clients := d.all()
	for _, j := range jobs {
		one := j.state()
		for _, c := range clients {
			if c.job.Load() == j {
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
			wait(ctx, time.Second)
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// busyAfter is how long a job that runs, or waits for its turn, may take to take a
// request. One that has just ended a run, or looks at its files, takes it in a moment,
// but a busy machine may need longer for that.
const (
	busyAfter = 300 * time.Millisecond
	busyLater = time.Minute
)

func (j *job) isBusy() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.running || j.waiting
}

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

// find returns the job that a request is about.
func (d *daemon) find(name, path string) *job {
	jobs, _ := d.all()
	for _, j := range jobs {
		if j.name == name && sameFile(path, d.Config.Path) {
			return j
		}
	}
	return nil
}

// Stop implements control.Daemon.
func (d *daemon) Stop(_ context.Context, r control.Request) (stopped int, err error) {
	j := d.find(r.Job, r.Config)
	if j == nil {
		return 0, control.ErrNoJob
	}
	j.mu.Lock()
	if j.cancel != nil {
		j.cancel(errStopped)
		stopped++
	}
	j.mu.Unlock()
	_, clients := d.all()
	for _, c := range clients {
		if c.job.Load() == j {
			stopped += c.stop()
		}
	}
	return stopped, nil
}

// Look implements control.Daemon.
func (d *daemon) Look(_ context.Context, r control.Request) error {
	j := d.find(r.Job, r.Config)
	if j == nil {
		return control.ErrNoJob
	}
	j.wake()
	return nil
}

// Run implements control.Daemon.
func (d *daemon) Run(ctx context.Context, r control.Request) (iter.Seq[control.Event], error) {
	j := d.find(r.Job, r.Config)
	if j == nil {
		return nil, control.ErrNoJob
	}
	if _, steps := j.now(); len(steps) == 0 || j.isGone() {
		return nil, control.ErrNoJob
	}
	f := newFollowed(r)
	for began := time.Now(); ; {
		select {
		case j.asked <- f:
			return f.events(ctx), nil
		case <-time.After(busyAfter):
			if j.isBusy() || j.isGone() || time.Since(began) > busyLater {
				return nil, control.ErrBusy
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
