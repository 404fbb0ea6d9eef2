package daemon

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

func TestRunJob(t *testing.T) {
	c, _ := start(t, "good", "bad", "long", "source")
	for _, want := range []struct {
		job     string
		code    int
		handled bool
		stdout  string
		stderr  string
	}{
		{"good", 0, true, "output of pull\n", ""},
		{"bad", 1, true, "output of pull\n", "zreplctl: cannot pull \"bad\": it broke\nzreplctl: hint: mend it\n"},
		{"none", 0, false, "", ""},
		{"good", 0, true, "output of pull\n", ""},
	} {
		var stdout, stderr strings.Builder
		code, handled, err := control.RunJob(context.Background(), c.Global.Control, control.Request{Job: want.job, Config: c.Path}, control.Follower{Stdout: &stdout, Stderr: &stderr})
		if err != nil || code != want.code || handled != want.handled || stdout.String() != want.stdout || stderr.String() != want.stderr {
			t.Errorf("%s: %d, %v, %v, %q, %q", want.job, code, handled, err, stdout.String(), stderr.String())
		}
	}
	s, err := control.Get(context.Background(), c.Global.Control)
	if err != nil {
		t.Fatal(err)
	}
	if j := s.Jobs[0]; j.State != control.Idle || j.Last == nil || j.Last.Status != 0 || j.Success == nil || j.Progress == nil || j.Progress.Bytes != 7 {
		t.Errorf("good: %+v", j)
	}
	if j := s.Jobs[1]; j.State != control.Failed || j.Last.Status != 1 || j.Last.Error != `cannot pull "bad": it broke` || j.Success != nil {
		t.Errorf("bad: %+v, %+v", j, j.Last)
	}
	t.Setenv(control.ChildEnv, "1")
	if _, handled, err := control.RunJob(context.Background(), c.Global.Control, control.Request{Job: "good", Config: c.Path}, control.Follower{}); handled || err != nil {
		t.Errorf("a child of the daemon asks it: %v, %v", handled, err)
	}
}

// TestSkipped: a run that does not replicate is no success of the job, and does
// not end its failure.
func TestSkipped(t *testing.T) {
	t.Parallel()
	c, _ := start(t, "good")
	request := control.Request{Job: "good", Config: c.Path, Skip: "snapshot,replicate"}
	if code, handled, err := control.RunJob(t.Context(), c.Global.Control, request, control.Follower{Stdout: io.Discard, Stderr: io.Discard}); code != 0 || !handled || err != nil {
		t.Fatal(code, handled, err)
	}
	s, err := control.Get(t.Context(), c.Global.Control)
	if err != nil {
		t.Fatal(err)
	}
	if j := s.Jobs[0]; j.Success != nil || j.Last != nil {
		t.Errorf("%+v", j)
	}
}

// TestEnded: what a run was doing that was killed is not under way, and one
// that was asked to stop has not failed.
func TestEnded(t *testing.T) {
	t.Parallel()
	c, _ := start(t, "killed", "stopped")
	for i, want := range []struct {
		state, reason string
		stopped       bool
	}{{control.Failed, "killed by signal 9", false}, {control.Idle, "", true}} {
		request := control.Request{Job: c.Jobs[i].Name, Config: c.Path}
		if _, handled, err := control.RunJob(t.Context(), c.Global.Control, request, control.Follower{Stdout: io.Discard, Stderr: io.Discard}); !handled || err != nil {
			t.Fatal(handled, err)
		}
		s, err := control.Get(t.Context(), c.Global.Control)
		if err != nil {
			t.Fatal(err)
		}
		j := s.Jobs[i]
		if j.Last == nil || j.State != want.state || j.Last.Stopped != want.stopped || !strings.HasPrefix(j.Last.Error, want.reason) || (want.reason == "") != (j.Last.Error == "") {
			t.Errorf("%s: %s, %+v", j.Name, j.State, j.Last)
		}
		if j.Progress == nil || len(j.Progress.Datasets) != 3 {
			t.Fatalf("%s: %+v", j.Name, j.Progress)
		}
		for n, state := range []progress.State{progress.Interrupted, progress.Interrupted, progress.Done} {
			if got := j.Progress.Datasets[n]; got.State != state {
				t.Errorf("%s: %+v", j.Name, got)
			}
		}
	}
}

// TestBusy: one run of a job at a time; who stops following does not stop it,
// and the end of the daemon does.
func TestBusy(t *testing.T) {
	t.Parallel()
	c, stop := start(t, "long")
	ctx, cancel := context.WithCancel(context.Background())
	began := make(chan struct{})
	followed := make(chan error, 1)
	go func() {
		_, _, err := control.RunJob(ctx, c.Global.Control, control.Request{Job: "long", Config: c.Path}, control.Follower{Stdout: closer(began), Stderr: discardText{}})
		followed <- err
	}()
	await(t, began)
	code, handled, err := control.RunJob(context.Background(), c.Global.Control, control.Request{Job: "long", Config: c.Path}, control.Follower{Stdout: discardText{}, Stderr: discardText{}})
	if code != 75 || !handled || err == nil {
		t.Errorf("a second run: %d, %v, %v", code, handled, err)
	}
	cancel()
	if err := await(t, followed); err == nil || !strings.Contains(err.Error(), "still runs in the daemon") {
		t.Errorf("stopped following: %v", err)
	}
	s, err := control.Get(context.Background(), c.Global.Control)
	if err != nil || s.Jobs[0].State != control.Running || s.Jobs[0].Step != "pull" {
		t.Errorf("status %+v, %v", s, err)
	}
	watched := make(chan control.Status, 10)
	go func() {
		for s, err := range control.Watch(context.Background(), c.Global.Control) {
			if err == nil {
				watched <- s
			}
		}
		close(watched)
	}()
	await(t, watched)
	if err := stop(); err != nil {
		t.Error(err)
	}
	for range watched { // ends with the daemon
	}
}

type closer chan struct{}

func (c closer) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "begun") {
		close(c)
	}
	return len(p), nil
}

type discardText struct{}

func (discardText) Write(p []byte) (int, error) { return len(p), nil }

// TestSchedule: a job is run at its interval, by itself.
func TestSchedule(t *testing.T) {
	t.Parallel()
	c := conf(shortDir(t), "good")
	c.Jobs[0].Interval = 50 * time.Millisecond
	startConfig(t, c)
	var last time.Time
	for runs := 0; runs < 3; {
		s, err := control.Get(context.Background(), c.Global.Control)
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Jobs[0].Last; r != nil && r.Started.After(last) {
			last = r.Started.Time
			runs++
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestSteps(t *testing.T) {
	some := &retention.Policy{}
	for _, c := range []struct {
		job  config.Job
		want string
	}{
		{config.Job{Type: config.Pull, Prune: some}, "pull"},
		{config.Job{Type: config.Push}, "push"},
		{config.Job{Type: config.Local, SnapshotPrefix: "s"}, "local"},
		{config.Job{Type: config.Source, SnapshotPrefix: "s"}, "autosnap"},
		{config.Job{Type: config.Source, SnapshotPrefix: "s", Prune: some}, "autosnap prune"},
		{config.Job{Type: config.Source}, ""},
		{config.Job{Type: config.Autosnap, SnapshotPrefix: "s"}, "autosnap"},
		{config.Job{Type: config.Prune, SnapshotPrefix: "s", Prune: some}, "prune"},
		{config.Job{Type: config.PushSink}, ""},
		{config.Job{Type: config.PushSink, SnapshotPrefix: "s", Prune: some}, "prune"},
	} {
		if got := strings.Join(stepsOf(&c.job), " "); got != c.want {
			t.Errorf("%+v: %q", c.job, got)
		}
	}
}
