package job_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWaitsForParent: every dataset that was not replicated is named, and what
// it waits for.
func TestWaitsForParent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.must("zfs", "create", "a/x/y/deep")
	w.snapshot("s1")
	w.must("zfs", "create", "b/z")
	w.must("zfs", "snapshot", "b/z@own")
	w.extend(`- name: lost
  type: local
  mapping: {"a/x<": nopool/u, "a/z": b/z}
  snapshot_prefix: s
- name: lost2
  type: local
  mapping: {"a/x<": nopool2/u}
  snapshot_prefix: s
`)
	for _, job := range []string{"lost", "lost2"} {
		code, said := w.ctl("local", "-skip", "snapshot,prune", job)
		for _, name := range []string{`"a/x"`, `"a/x/y"`, `"a/x/y/deep"`, `"nopool`} {
			if code != 1 || !strings.Contains(said, name) {
				t.Errorf("%s: %d, without %s: %s", job, code, name, said)
			}
		}
		if unrelated := strings.Contains(said, `cannot replicate "a/z" to "b/z": unrelated`); unrelated != (job == "lost") {
			t.Errorf("%s: %s", job, said)
		}
	}
	if got := w.shown("lost2"); !strings.Contains(got.Last.Error, "nopool") {
		t.Errorf("the record says %q", got.Last.Error)
	}
	// One above fails while it is sent: those below it stand behind its name.
	w.write("sim/faults", "on=send match=a/x@s1 fail message=warning: cannot send 'a/x@s1': Input/output error\n")
	if _, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); !strings.Contains(said, `cannot replicate "a/x/y", "a/x/y/deep": "b/mirror/x" above failed`) {
		t.Error(said)
	}
}

// TestBehind: a dataset that does not move is behind by what it lacks, and
// what was seen once is not forgotten when the connection fails.
func TestBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.must("zfs", "create", "b/back")
	w.must("zfs", "create", "b/back/a")
	w.must("zfs", "create", "b/back/a/z")
	w.must("zfs", "snapshot", "b/back/a/z@s1")
	w.tried("pull", "fetch")
	w.must("zfs", "set", "readonly=off", "b/back/a/x")
	w.must("zfs", "mount", "b/back/a/x")
	w.fill("b/back/a/x", 1<<20)
	w.must("zfs", "unmount", "b/back/a/x")
	w.snapshot("s2", "s3")
	w.tried("pull", "fetch")
	before := w.shown("fetch")
	if x, z := before.row("a/x"), before.row("a/z"); x.Reason != "modified" || x.Behind != 2 || z.Reason != "unrelated" || z.Behind != 3 || !strings.Contains(z.Error, "only have the same name") {
		t.Errorf("%+v\n%+v", x, z)
	}
	text, err := os.ReadFile(w.path("c.yml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("c.yml", strings.ReplaceAll(string(text), "serve, me]", "no-subcommand]"))
	w.tried("pull", "fetch")
	after := w.shown("fetch")
	if len(after.Progress.Datasets) != len(before.Progress.Datasets) {
		t.Fatalf("%d rows of %d are left", len(after.Progress.Datasets), len(before.Progress.Datasets))
	}
	if x := after.row("a/x"); x.Behind != 2 || x.Reason != "modified" || x.Seen == "" {
		t.Errorf("%+v", x)
	}
	if _, said := w.ctl("status"); !strings.Contains(said, "not since: modified: ") {
		t.Error(said)
	}
}

// TestInterrupted: what a run was doing that is no more is not under way, and
// a signal is no failure.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		w := newWorld(t)
		w.tree()
		w.fill("a/x", 8<<20)
		w.snapshot("s1")
		w.write("sim/faults", "on=send match=a/x@s1 wait=1000000\n")
		run := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot,prune", "mirror")
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		w.find("zfs", " receive ", "/x@s1")
		if got := w.shown("mirror"); got.State != "running" {
			t.Errorf("a run without a daemon: %+v", got)
		}
		run.Process.Signal(signal)
		run.Wait()
		w.gone()
		got := w.shown("mirror")
		for _, r := range got.Progress.Datasets {
			if r.State == "sending" || r.State == "waiting" {
				t.Errorf("%v: %+v", signal, r)
			}
		}
		if stopped := signal == syscall.SIGTERM; got.Last.Stopped != stopped || (got.State == "failed") == stopped || (got.Last.Error == "") != stopped || got.Success != "" {
			t.Errorf("%v: %+v", signal, got)
		}
		w.write("sim/faults", "")
		w.done("local", "mirror")
		if got := w.shown("mirror"); got.State != "idle" || got.Last.Status != 0 || got.Success == "" {
			t.Errorf("%v, and a run after it: %+v", signal, got)
		}
		if left, _ := filepath.Glob(w.path("run/*.begun")); len(left) > 0 {
			t.Errorf("%v: %q is left", signal, left)
		}
	}
}
