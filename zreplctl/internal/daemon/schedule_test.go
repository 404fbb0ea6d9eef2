package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/pause"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/schedule"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// timed is a configuration with state, whose jobs have this interval.
func timed(dir string, interval time.Duration, jobs ...string) *config.Config {
	c := conf(dir, jobs...)
	c.Global.StateDir = filepath.Join(dir, "state")
	for _, j := range c.Jobs {
		j.Interval = interval
	}
	return c
}

// daily is an interval of about a day, none of whose times comes within an hour: a
// job that has just run does not run again while a test lasts.
func daily() time.Duration {
	now := time.Now()
	every := 24 * time.Hour
	for next(every, now).Sub(now) < time.Hour {
		every += time.Hour
	}
	return every
}

func next(every time.Duration, now time.Time) time.Time {
	return schedule.Times{Interval: every, Zone: time.Local}.Next(now)
}

func jobOf(t *testing.T, c *config.Config, name string) control.Job {
	t.Helper()
	s, err := control.Get(t.Context(), c.Global.Control)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range s.Jobs {
		if j.Name == name {
			return j
		}
	}
	t.Fatalf("no job %q", name)
	panic("unreachable")
}

// TestRestarts: the first start of the daemon runs a job that never ran, and
// later ones only what was missed or was cut off.
func TestRestarts(t *testing.T) {
	t.Parallel()
	dir, every := shortDir(t), daily()
	c := timed(dir, every, "good")
	_, stop := startConfig(t, c)
	until(t, "the job runs", func() bool { return jobOf(t, c, "good").Last != nil })
	stop()
	for range 3 {
		_, stop := startConfig(t, c)
		time.Sleep(100 * time.Millisecond)
		if j := jobOf(t, c, "good"); j.Last != nil || j.State != control.Idle || j.Next == nil || time.Until(j.Next.Time) > every {
			t.Errorf("after a restart: %+v", j)
		}
		stop()
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(c.Global.StateDir, keptName("good")), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, last := range []string{`{"last":"2020-01-01T00:00:00Z"}`, `{"last":"` + time.Now().Format(time.RFC3339) + `","owed":true}`} {
		write(last)
		_, stop := startConfig(t, c)
		until(t, "it runs once", func() bool { return jobOf(t, c, "good").Last != nil })
		stop()
	}
	write(`{"last":"2120-01-01T00:00:00Z"}`) // by a clock that was wrong
	_, stop = startConfig(t, c)
	if j := jobOf(t, c, "good"); j.Next == nil || time.Until(j.Next.Time) > every {
		t.Errorf("after a wrong clock: %+v", j)
	}
	stop()
}

// TestCutOff: a run that the end of the daemon has cut off is continued by the
// next daemon.
func TestCutOff(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	c := timed(dir, daily(), "long")
	for range 2 {
		_, stop := startConfig(t, c)
		until(t, "it runs", func() bool { return jobOf(t, c, "long").State == control.Running })
		stop()
	}
}

// TestPaused: no run starts by itself while a job is paused, also after a
// restart, and a person can run it.
func TestPaused(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	c := timed(dir, 50*time.Millisecond, "good")
	kept := state.Of(c.Global)
	if err := pause.Set(kept, "good", time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	startConfig(t, c)
	until(t, "it is seen to be paused", func() bool { return jobOf(t, c, "good").Paused })
	time.Sleep(200 * time.Millisecond) // it would run meanwhile
	if j := jobOf(t, c, "good"); j.Last != nil || !j.Paused || j.State != control.Paused || j.Until != nil {
		t.Errorf("%+v", j)
	}
	if code, _, err := control.RunJob(t.Context(), c.Global.Control, control.Request{Job: "good", Config: c.Path}, control.Follower{Stdout: io.Discard, Stderr: io.Discard}); code != 0 || err != nil {
		t.Error(code, err)
	}
}

// TestStop: a person ends a run, which is then not begun again, and the
// connections of a client.
func TestStop(t *testing.T) {
	t.Parallel()
	c := timed(shortDir(t), daily(), "long", "source")
	startConfig(t, c)
	until(t, "it runs", func() bool { return jobOf(t, c, "long").State == control.Running })
	s := connect(t, c)
	s.ask("hello")
	for _, name := range []string{"long", "source"} {
		if n, err := control.Stop(t.Context(), c.Global.Control, control.Request{Job: name, Config: c.Path}); n != 1 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	until(t, "the run ends", func() bool { return jobOf(t, c, "long").State == control.Idle })
	if j := jobOf(t, c, "long"); j.Last == nil || !j.Last.Stopped || j.Last.Error != "" || time.Until(j.Next.Time) < 0 {
		t.Errorf("%+v, %+v", j, j.Last)
	}
	s.code(t)
	if n, err := control.Stop(t.Context(), c.Global.Control, control.Request{Job: "long", Config: c.Path}); n != 0 || err != nil {
		t.Errorf("nothing runs: %d, %v", n, err)
	}
	if _, err := control.Stop(t.Context(), c.Global.Control, control.Request{Job: "none", Config: c.Path}); !errors.Is(err, control.ErrNoJob) {
		t.Error(err)
	}
	// A client of a paused job is told so.
	if err := pause.Set(state.Of(c.Global), "source", time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	s = connect(t, c)
	if code := s.code(t); code != 75 || !strings.Contains(s.errs.String(), "the job of this client is paused") {
		t.Errorf("%d, %s", code, s.errs)
	}
}

// TestNext lists what a daemon would do, without one.
func TestNext(t *testing.T) {
	c := timed(shortDir(t), time.Hour, "good")
	now := time.Date(2026, 6, 1, 12, 20, 0, 0, time.UTC)
	if times, due := Next(c.Global, c.Jobs[0], time.Time{}, now, 2); !due || len(times) != 2 || !times[0].Equal(now) || times[1].Sub(now) != 40*time.Minute {
		t.Errorf("it never ran: %v %v", times, due)
	}
	times, due := Next(c.Global, c.Jobs[0], now.Add(-time.Minute), now, 3)
	if due || len(times) != 3 || times[0].Sub(now) != 40*time.Minute || times[2].Sub(times[1]) != time.Hour {
		t.Errorf("%v %v", times, due)
	}
	if err := pause.Set(state.Of(c.Global), "good", now, 90*time.Minute); err != nil {
		t.Fatal(err)
	}
	if times, due := Next(c.Global, c.Jobs[0], now.Add(-time.Minute), now, 2); due || len(times) != 2 || times[0].Sub(now) != 90*time.Minute {
		t.Errorf("paused: %v %v", times, due)
	}
}

// TestWindowEnd: a run ends with its window if the job says so, and is then
// owed.
func TestWindowEnd(t *testing.T) {
	t.Parallel()
	now := time.Now() // the window is closed for the hour from now, also over midnight
	c := timed(shortDir(t), time.Second, "long")
	var err error
	if c.Jobs[0].Window, err = schedule.ParseWindow(now.Add(time.Hour).Format("15:04") + "-" + now.Format("15:04")); err != nil {
		t.Fatal(err)
	}
	c.Jobs[0].AtEnd = config.Stop
	d := &daemon{Options: Options{Config: c}, changed: newBell(), config: c}
	j := &job{d: d, c: c.Jobs[0], name: "long"}
	ctx, cancel := j.limited(t.Context(), c.Jobs[0], new(followed))
	defer cancel(nil)
	await(t, ctx.Done())
	if context.Cause(ctx) != errWindow {
		t.Error(context.Cause(ctx))
	}
	ctx, cancel = j.limited(t.Context(), c.Jobs[0], newFollowed(control.Request{}))
	defer cancel(nil)
	if time.Sleep(50 * time.Millisecond); ctx.Err() != nil {
		t.Error("the window ends a run that a person asked for")
	}
}

// TestOneAtATime: with one place, a run that a person asks for waits for its
// turn, and says so.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	c := timed(shortDir(t), 0, "long", "good")
	c.Global.Runs = 1
	_, stop := startConfig(t, c)
	began := make(chan struct{})
	go control.RunJob(t.Context(), c.Global.Control, control.Request{Job: "long", Config: c.Path}, control.Follower{Stdout: closer(began), Stderr: io.Discard})
	await(t, began)
	said := &heard{text: "waits for its turn", done: make(chan struct{})}
	ended := make(chan int, 1)
	go func() {
		code, _, _ := control.RunJob(t.Context(), c.Global.Control, control.Request{Job: "good", Config: c.Path}, control.Follower{Stdout: io.Discard, Stderr: said})
		ended <- code
	}()
	until(t, "the second waits", func() bool { return jobOf(t, c, "good").State == control.Waiting })
	await(t, said.done)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if code := await(t, ended); code != 75 {
		t.Errorf("%d, %s", code, said.said.String())
	}
}

// TestEndingMakesRoom: a run that waits for its turn does not begin when the end
// of the daemon has ended the one before it.
func TestEndingMakesRoom(t *testing.T) {
	t.Parallel()
	c := timed(shortDir(t), 0, "good")
	d := &daemon{Options: Options{Config: c, Log: slog.New(slog.DiscardHandler)}, changed: newBell(), config: c}
	d.turns.allow(1)
	j := newJob(d, c.Jobs[0])
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // a select takes either of two that are ready
		f := newFollowed(control.Request{Job: "good"})
		j.queue(ctx, f, time.Now())
		said, status := "", -1
		for e := range f.events(t.Context()) {
			if said += e.Stderr; e.Exit != nil {
				status = *e.Exit
			}
		}
		if status != 75 || !strings.Contains(said, "the daemon is ending") {
			t.Fatalf("%d, %q", status, said)
		}
	}
}

// TestSlowToTake: only a job that runs or waits for its turn is busy, not one that
// is slow to take a request.
func TestSlowToTake(t *testing.T) {
	t.Parallel()
	c := timed(shortDir(t), 0, "good")
	d := &daemon{Options: Options{Config: c, Log: slog.New(slog.DiscardHandler)}, changed: newBell(), config: c}
	j := newJob(d, c.Jobs[0])
	d.jobs = []*job{j}
	run := func() <-chan error {
		ended := make(chan error, 1)
		go func() {
			_, err := d.Run(t.Context(), control.Request{Job: "good", Config: c.Path})
			ended <- err
		}()
		return ended
	}
	asked := run()
	time.Sleep(2 * busyAfter)
	select {
	case <-j.asked:
	case err := <-asked:
		t.Fatalf("it ended before the job took it: %v", err)
	}
	if err := await(t, asked); err != nil {
		t.Error(err)
	}
	j.running = true
	if err := await(t, run()); !errors.Is(err, control.ErrBusy) {
		t.Errorf("a run is on: %v", err)
	}
}
