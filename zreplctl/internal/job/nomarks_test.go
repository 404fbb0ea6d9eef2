package job_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// What README gives to a user who sends, and to one who receives.
const (
	sendPerms    = "send,hold,release"
	receivePerms = "receive,create,mount,hold,release,userprop,readonly,mountpoint,canmount,setuid,devices,exec,volmode,snapdev,destroy"
)

// unprivileged runs a job as a user with these permissions.
func (w *world) unprivileged(args ...string) (int, string) {
	w.t.Helper()
	c := w.command(append([]string{"zreplctl", "-config", w.path("c.yml")}, args...)...)
	c.Env = append(c.Env, "ZFS_SIM_USER=repl")
	out, err := c.CombinedOutput()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		w.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// A user who may not make bookmarks keeps its holds on datasets that leave the
// rules, by either side's rules, and says so. That is no failure.
func TestNoBookmarks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "allow", "-u", "repl", sendPerms, "a")
	w.must("zfs", "allow", "-u", "repl", receivePerms, "b")
	w.tree()
	w.snapshot("s1")
	run := func(status int, says ...string) {
		t.Helper()
		code, said := w.unprivileged("pull", "-skip", "snapshot,prune", "fetch")
		for _, text := range says {
			if !strings.Contains(said, text) {
				t.Errorf("not said: %q", text)
			}
		}
		if code != status || t.Failed() {
			t.Fatalf("exit status %d: %s", code, said)
		}
	}
	run(0)
	w.must("zfs", "rename", "a/x/y", "a/secret/y")
	w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), `{"a<": b/back/a}`, `{"a<": b/back/a, "a/z": "!"}`))
	w.aged("fetch")
	run(1, "not-offered", "warning: keeping 1 holds on datasets that have left the sender's rules: no bookmark can be made there",
		"warning: keeping what earlier runs hold of 1 dataset: zfs bookmark: cannot create bookmark")
	if code, said := w.unprivileged("forget", "fetch", "b/back/a/x/y", "b/back/a/z"); code != 0 {
		t.Fatalf("forget: exit status %d: %s", code, said)
	}
	for _, name := range []string{"s2", "s3"} {
		w.aged("fetch")
		w.snapshot(name)
		run(0, "warning: keeping 1 holds")
	}
	held := strings.Join(w.holds(), "\n")
	for _, want := range []string{"a/secret/y@s1 zreplctl_source_me", "a/z@s1 zreplctl_source_me"} {
		if !strings.Contains(held, want) {
			t.Errorf("not held: %s", want)
		}
	}
	// A base that somebody released, beside what a cut stream left.
	w.must("zfs", "release", "zreplctl_source_me", "a/x@s3")
	w.snapshot("s4")
	w.must("zfs", "hold", "zreplctl_source_me", "a/x@s4")
	w.snapshot("s5")
	run(0, "warning: keeping what earlier runs hold of 2 datasets")
	w.aged("fetch")
	run(0)
	w.equal("held of a/x", w.heldOf("a/x@"), "a/x@s5 zreplctl_source_me")

	// Earlier bases are kept as far as they can go again.
	for i, perm := range []string{"send", "bookmark", "bookmark", "bookmark", "bookmark"} {
		w.must("zfs", "allow", "-u", "repl", perm, "a/x")
		w.keptDue("zreplctl_source_me", 5*time.Hour)
		w.snapshot(fmt.Sprintf("t%d", i))
		run(0)
		if kept := w.lines("zfs", "list", "-H", "-t", "bookmark", "-o", "name"); len(kept) != min(i, 3) {
			t.Errorf("with %s for the time %d, it keeps %q", perm, i, kept)
		}
	}
}

// heldOf are the holds on what begins so.
func (w *world) heldOf(prefix string) (some []string) {
	for _, h := range w.holds() {
		if strings.HasPrefix(h, prefix) {
			some = append(some, h)
		}
	}
	return some
}
