package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/pause"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/schedule"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// glance is how often the wall clock is looked at. Timers stand still while
// the machine sleeps, and the clock may be set.
const glance = 20 * time.Second

// wall is the time without the monotonic clock, which stands still while the
// machine sleeps.
func wall() time.Time { return time.Now().Round(0) }

// rest is how long it is until the next glance. All jobs have theirs at the same
// moments: for an idle daemon, waking up costs more than looking.
func rest(now time.Time) time.Duration { return now.Truncate(glance).Add(glance).Sub(now) }

// kept is what statedir keeps of a job's schedule.
type kept struct {
	Last time.Time `json:"last"`           // when the last run began
	Owed bool      `json:"owed,omitempty"` // it has not come to its end
}

func keptName(job string) string { return job + ".schedule" }

const maxSchedule = 4 << 10

// timesOf are when a job of these steps is run.
func timesOf(c *config.Job, steps []string) schedule.Times {
	if len(steps) == 0 {
		return schedule.Times{}
	}
	return c.Times(time.Local)
}

// remember reads when the job ran last.
func (j *job) remember(times schedule.Times) {
	var recorded time.Time
	if j.d.LastRun != nil {
		recorded = j.d.LastRun(j.c)
	}
	var err error
	if j.due, err = recall(state.Of(j.d.Config.Global), j.name, times, wall(), recorded); err != nil {
		j.log.Warn("cannot read when the job ran last: it may run once more", "error", err)
	}
	j.next, _ = j.due.Look(wall())
}

// recall makes a job's schedule from what statedir keeps and from its record.
func recall(dir state.Dir, name string, times schedule.Times, now, recorded time.Time) (schedule.Job, error) {
	var k kept
	text, err := dir.Read(keptName(name), maxSchedule)
	if err == nil {
		err = json.Unmarshal(text, &k)
	} else if dir.IsNone() || errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	j := schedule.New(times, now, k.Last, recorded)
	j.Owed = (k.Owed || hook.Owes(dir, name)) && !times.None() // what a hook has stopped waits for the next run
	return j, err
}

// Next returns the next times at which a daemon starts a job, by what statedir
// keeps and when its record says that it ran last. Due is true if the first has
// come. A pause without an end has no times after it.
func Next(g config.Global, c *config.Job, recorded, now time.Time, n int) (times []time.Time, due bool) {
	j, _ := recall(state.Of(g), c.Name, timesOf(c, stepsOf(c)), now, recorded)
	if j.None() {
		return nil, false
	}
	begin := now
	if paused, until := pause.On(state.Of(g), c.Name, now); paused {
		if until.IsZero() {
			return nil, false
		}
		begin = until
	}
	start, _ := j.Look(begin)
	for range n {
		if start.IsZero() {
			break
		}
		if start.Before(begin) {
			start = begin
		}
		times = append(times, start)
		start = j.Start(start)
	}
	return times, len(times) > 0 && !times[0].After(now)
}

// keep writes when the job ran last. It is called without the lock.
func (j *job) keep() {
	j.mu.Lock()
	k := kept{j.due.Last, j.due.Owed || j.running}
	j.mu.Unlock()
	dir := state.Of(j.d.Config.Global)
	if dir.IsNone() {
		return
	}
	text, err := json.Marshal(k)
	if err == nil {
		err = dir.Write(keptName(j.name), append(text, '\n'))
	}
	j.troubles.tell(j.log, "cannot write when the job ran last: it may run once more after a restart", err)
}

// schedule runs the job when it is due, and when it is told to.
func (j *job) schedule(ctx context.Context) {
	j.keep() // from when on it misses times
	for !j.isOver() && ctx.Err() == nil {
		due, since, wait := j.look()
		if due {
			j.queue(ctx, new(followed), since)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case f := <-j.asked:
			j.queue(ctx, f, wall())
		case <-j.woken:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// look tells whether the job is due, since when, and otherwise how long to wait
// before looking again.
func (j *job) look() (due bool, since time.Time, wait time.Duration) {
	now := wall()
	dir := state.Of(j.d.Config.Global)
	j.troubles.tell(j.log, "cannot correct a pause that was made while the clock was ahead", pause.Settle(dir, j.name, now))
	paused, until := pause.On(dir, j.name, now)
	j.mu.Lock()
	defer j.mu.Unlock()
	start, due := j.due.Look(now)
	j.paused, j.until, j.next = paused, until, start
	switch {
	case paused:
		return false, start, rest(now)
	case due:
		return true, start, 0
	case start.IsZero():
		return false, start, time.Hour
	}
	return false, start, min(start.Sub(now), rest(now))
}

// queue waits for the job's turn and makes the run, unless the job is then not
// to be run any more. A person may ask for it meanwhile.
func (j *job) queue(ctx context.Context, f *followed, since time.Time) {
	c, _ := j.now()
	t := &turn{job: j.name, after: c.After, since: since, asked: f.isAsked()}
	j.d.turns.wait(t)
	defer j.d.turns.leave(t)
	j.setWaiting(true)
	defer j.setWaiting(false)
	tick := time.NewTicker(glance)
	defer tick.Stop()
	asked := j.asked
	if f.isAsked() {
		asked = nil
	}
	select {
	case <-t.ready:
	case <-time.After(moment):
		f.add(control.Event{Stderr: waits})
	}
	for {
		select {
		case <-t.ready:
			if ctx.Err() != nil { // the end of the daemon has made room
				j.giveUp(f, "the daemon is ending")
				return
			}
			j.setWaiting(false)
			j.run(ctx, f)
			return
		case f = <-asked:
			asked = nil
			j.d.turns.ask(t)
			f.add(control.Event{Stderr: waits})
		case <-ctx.Done():
			j.giveUp(f, "the daemon is ending")
			return
		case <-j.woken:
		case <-tick.C:
		}
		if f.isAsked() && !j.isGone() {
			continue
		}
		if due, _, _ := j.look(); !due || j.isGone() { // the window has closed, or it was paused
			j.giveUp(f, "the job was removed")
			return
		}
	}
}

const (
	moment = 100 * time.Millisecond
	waits  = "zreplctl: the run waits for its turn: others are on\n"
)

// giveUp tells who follows a run that it does not begin.
func (j *job) giveUp(f *followed, why string) {
	status := cli.TryLater
	f.add(control.Event{Stderr: fmt.Sprintf("zreplctl: cannot run job %q: %s\n", j.name, why)})
	f.add(control.Event{Exit: &status})
}

func (j *job) setWaiting(waiting bool) {
	j.mu.Lock()
	changed := j.waiting != waiting
	j.waiting = waiting
	j.mu.Unlock()
	if changed {
		j.d.changed.ring()
	}
}

// limited returns the context of a run: the end of the window cancels it if the
// job says so, unless a person asked for the run.
func (j *job) limited(ctx context.Context, c *config.Job, f *followed) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if c.Window == nil || c.AtEnd != config.Stop || f.isAsked() {
		return ctx, cancel
	}
	j.d.children.Go(func() {
		for ctx.Err() == nil {
			now := wall()
			closes := c.Window.Closes(now, time.Local)
			if !closes.After(now) {
				cancel(errWindow)
				return
			}
			wait(ctx, min(closes.Sub(now), glance))
		}
	})
	return ctx, cancel
}

// Why a run was stopped that the daemon had begun.
var (
	errWindow  = errors.New("its window has ended")
	errStopped = errors.New("a person stopped it")
)
