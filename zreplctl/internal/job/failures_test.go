package job_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A parent whose incremental stream fails has a complete target: what stands
// below has to go on.
func TestParentIncremental(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.snapshot("s2")
	w.write("sim/faults", "on=send match=a/x@s2 from=1 fail message=warning: cannot send 'a/x@s2': Input/output error\n")
	for range 2 {
		code := w.tried("local", "mirror")
		if code != 1 {
			t.Errorf("exit status %d", code)
		}
	}
	w.same("a/x/y", "b/mirror/x/y")
}

// partialOfNoUse leaves a partial receive on b/mirror/x/y that is of no use.
func (w *world) partialOfNoUse() {
	w.fill("a/x/y", 1<<20)
	w.must("zfs", "snapshot", "a/x/y@s_gone")
	w.must("sh", "-c", "zfs send -L -i @s1 a/x/y@s_gone | head -c 400000 | zfs receive -s -u b/mirror/x/y 2>/dev/null; :")
	w.must("zfs", "destroy", "a/x/y@s_gone")
}

// A hold that fails in a round after which the run looks again.
func TestLostError(t *testing.T) {
	for name, fault := range map[string]string{
		"hold on receiver":  "on=hold match=b/mirror/x@s2 n=1 fail message=cannot hold snapshot 'b/mirror/x@s2': out of space\n",
		"release on sender": "on=release match=a/x@s1 from=1 fail message=cannot release hold from snapshot 'a/x@s1': permission denied\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.tree()
			w.snapshot("s1")
			w.done("local", "mirror")
			w.partialOfNoUse()
			w.snapshot("s2")
			w.write("sim/faults", fault)
			code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
			t.Logf("%s", said)
			if code != 0 {
				return // it said so, and the next run looks at all
			}
			w.write("sim/faults", "")
			code, said = w.ctl("local", "-skip", "snapshot,prune", "mirror")
			t.Logf("second run %d: %s", code, said)
			w.equal("holds", w.holds(), "a/x@s2 zreplctl_local_mirror", "a/x/y@s2 zreplctl_local_mirror",
				"b/mirror/x@s2 zreplctl_last_mirror", "b/mirror/x/y@s2 zreplctl_last_mirror")
		})
	}
}

// A cut first stream that cannot be resumed: what was held for the chain
// behind it is not sent after all.
func TestStaleStepHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.write("sim/faults", "on=send match=a/x@s1 n=1 cut=400000\n")
	w.tried("local", "mirror")
	w.write("sim/faults", "")
	w.snapshot("s2", "s3", "s4")
	w.must("zfs", "rename", "a/x@s1", "a/x@s1_renamed")
	for range 2 {
		t.Log(w.done("local", "mirror"))
		w.equal("holds", w.holds(), "a/x@s4 zreplctl_local_mirror", "a/x/y@s4 zreplctl_local_mirror",
			"b/mirror/x@s4 zreplctl_last_mirror", "b/mirror/x/y@s4 zreplctl_last_mirror")
	}
}

// A placeholder's mark that cannot be taken off is an error.
func TestUnmark(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.must("zfs", "snapshot", "a/x/y@s1")
	w.done("local", "mirror")
	t.Log(w.local("zreplctl:placeholder", "b"))
	w.snapshot("s2")
	w.write("sim/faults", "on=inherit from=1 fail message=cannot inherit zreplctl:placeholder for 'b/mirror/x': permission denied\n")
	code := w.tried("local", "mirror")
	if code == 0 {
		t.Errorf("exit status %d; marks %q", code, w.local("zreplctl:placeholder", "b"))
	}
	w.write("sim/faults", "")
	w.done("local", "mirror")
	if m := w.local("zreplctl:placeholder", "b"); slices.Contains(m, "b/mirror/x on") {
		t.Errorf("marks %q", m)
	}
}

// A partial receive that somebody else began where a dataset is to go.
func TestForeignPartial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.must("zfs", "create", "a/mine")
	w.fill("a/mine", 1<<20)
	w.must("zfs", "snapshot", "a/mine@m")
	w.must("zfs", "create", "b/mirror")
	w.must("sh", "-c", "zfs send -L a/mine@m | head -c 400000 | zfs receive -s -u b/mirror/x 2>/dev/null; :")
	before := w.must("zfs", "get", "-H", "-o", "value", "receive_resume_token", "b/mirror/x")
	w.snapshot("s1")
	w.tried("local", "mirror")
	if after := w.must("zfs", "get", "-H", "-o", "value", "receive_resume_token", "b/mirror/x"); after != before {
		t.Errorf("the token was %s, is %s", strings.TrimSpace(before)[:20], after)
	}
}

// A placeholder into which somebody wrote.
func TestPlaceholderData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.must("zfs", "snapshot", "a/x/y@s1")
	w.done("local", "mirror")
	w.must("zfs", "set", "mountpoint="+w.path("mnt2"), "b/mirror/x")
	w.must("zfs", "set", "canmount=on", "b/mirror/x")
	w.command("zfs", "mount", "b/mirror/x").Run()
	w.fill("b/mirror/x", 1<<20)
	t.Log(w.must("zfs", "get", "-Hp", "-o", "value", "written,used,mounted", "b/mirror/x"))
	w.snapshot("s2")
	code := w.tried("local", "mirror")
	if code == 0 {
		t.Error("received over data")
	}
}

// The sender's dataset is gone.
func TestSenderGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.must("zfs", "rename", "a/x", "a/q")
	code := w.tried("local", "mirror")
	if code == 0 {
		t.Error("exit status 0")
	}
}

// A parent that is a placeholder fails, and what stands below has its target.
func TestParentPlaceholder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.must("zfs", "snapshot", "a/x/y@s1")
	w.done("local", "mirror")
	w.snapshot("s2")
	w.write("sim/faults", "on=send match=a/x@s2 from=1 fail message=warning: cannot send 'a/x@s2': Input/output error\n")
	w.tried("local", "mirror")
	w.same("a/x/y", "b/mirror/x/y")
}

// The source's pool is not imported.
func TestPoolGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.must("zpool", "export", "a")
	code := w.tried("pull", "fetch")
	if code == 0 {
		t.Error("exit status 0")
	}
}

// A mark that cannot be taken off one dataset keeps no other from being
// replicated.
func TestUnmarkStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.must("zfs", "snapshot", "a/x/y@s1")
	w.done("local", "mirror")
	w.snapshot("s2")
	w.write("sim/faults", "on=inherit n=1 fail message=cannot inherit zreplctl:placeholder for 'b/mirror/x': permission denied\n")
	w.ctl("local", "-skip", "snapshot,prune", "mirror")
	if err := os.RemoveAll(w.path("run")); err != nil { // the next run looks at all, as after a day
		t.Fatal(err)
	}
	w.snapshot("s3")
	w.write("sim/faults", "on=inherit from=1 fail message=cannot inherit zreplctl:placeholder for 'b/mirror/x': permission denied\n")
	code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
	if code != 1 || !strings.Contains(said, `cannot replicate "a/x" to "b/mirror/x": `) || !strings.Contains(said, "permission denied") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.same("a/x/y", "b/mirror/x/y")
}

// A snapshot that somebody prunes after the run has listed it and before it
// holds it. ZFS knows no way to do both at once: the run looks again.
func TestPrunedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.snapshot("s2", "s3")
	real := strings.TrimSpace(w.must("sh", "-c", "command -v zfs"))
	w.write("pruning-zfs", "#!/bin/sh\n[ \"$1\" != hold ] || [ -e '"+w.path("pruned")+"' ] ||\n"+
		"  { : >'"+w.path("pruned")+"' && "+real+" destroy a/x@s2 && "+real+" destroy a/x/y@s3; }\nexec "+real+" \"$@\"\n")
	if err := os.Chmod(w.path("pruning-zfs"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot,prune", "mirror")
	c.Env = append(c.Env, "ZREPL_ZFS="+w.path("pruning-zfs"))
	said, err := c.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(w.path("pruned")); err != nil {
		t.Fatal("nothing was held")
	}
	w.same("a/x/y", "b/mirror/x/y")
	w.equal("holds", w.holds(), "a/x@s3 zreplctl_local_mirror", "a/x/y@s2 zreplctl_local_mirror",
		"b/mirror/x@s3 zreplctl_last_mirror", "b/mirror/x/y@s2 zreplctl_last_mirror")
}

// Of several datasets that a job names one is not there any more.
func TestNamedGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.extend(`- name: some
  type: local
  mapping: {"a/x": b/some/x, "a/q<": b/some/q, "a/x/none": "!"}
  snapshot_prefix: s
- name: none
  type: pull
  connect: {type: exec, command: [zreplctl, -config, ` + w.path("c.yml") + `, serve, other]}
  mapping: {"other<": b/none}
  snapshot_prefix: s
`)
	w.snapshot("s1")
	for _, args := range [][]string{{"local", "-skip", "snapshot,prune", "some"}, {"plan", "some"}} {
		code, said := w.ctl(args...)
		if want := `the sender has no dataset "a/q", which the job's rules name`; code != 0 || strings.Count(said, want) != 1 {
			t.Errorf("%q: exit status %d, and not once %q:\n%s", args, code, want, said)
		}
	}
	for _, args := range [][]string{{"pull", "-skip", "snapshot,prune", "none"}, {"plan", "none"}} {
		code, said := w.ctl(args...)
		if want := "the job's rules map none of the 2 datasets that the sender offers"; code != 1 || !strings.Contains(said, want) {
			t.Errorf("%q: exit status %d, and not %q:\n%s", args, code, want, said)
		}
	}
}
