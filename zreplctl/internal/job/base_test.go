package job_test

import (
	"slices"
	"strings"
	"testing"
)

const conflictJobs = `global: {rundir: DIR/run}
jobs:
- name: other
  type: local
  mapping: {"a/x": b/copy}
  snapshot_prefix: s
  prune_lhs: {keep: [{type: last_n, count: 1}]}
  prune_rhs: {keep: [{type: last_n, count: 1}]}
`

// A copy that somebody made by other means and changed: the first run finds
// that it cannot go on, and what both sides have stays all the same, so that
// a rollback, as zrepl-recovery(7) says, puts it right.
func TestBaseOfConflict(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"modified": func(w *world) { w.touch("b/copy") },
		"diverged": func(w *world) { w.touch("b/copy"); w.must("zfs", "snapshot", "b/copy@mine") },
		"options":  func(w *world) { w.must("zfs", "set", "zreplctl:send=w", "b/copy") },
		"name-taken": func(w *world) {
			w.must("zfs", "set", "canmount=off", "b/copy")
			w.must("zfs", "snapshot", "b/copy@s4")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write("c.yml", strings.ReplaceAll(conflictJobs, "DIR", w.dir))
			w.must("zfs", "create", "a/x")
			w.snapshot("s1")
			w.must("sh", "-c", "zfs send -L a/x@s1 | zfs receive b/copy")
			change(w)
			for _, n := range []string{"s2", "s3", "s4"} {
				w.fill("a/x", 3000)
				w.snapshot(n)
			}
			for range 2 {
				code, said := w.ctl("local", "-skip", "snapshot", "other")
				if code != 1 || !strings.Contains(said, name+": ") {
					t.Errorf("exit status %d, and not %s: %s", code, name, said)
				}
			}
			for _, want := range []string{"a/x@s1 zreplctl_local_other", "b/copy@s1 zreplctl_last_other"} {
				if !slices.Contains(w.holds(), want) {
					t.Errorf("no hold %q: %q", want, w.holds())
				}
			}
			w.command("zfs", "inherit", "zreplctl:send", "b/copy").Run()
			w.must("zfs", "rollback", "-r", "b/copy@s1")
			w.done("local", "other")
			if got := w.guids("b/copy"); len(got) < 2 || got[len(got)-1] != w.guids("a/x")[len(w.guids("a/x"))-1] {
				t.Errorf("the copy has %q, the source %q", got, w.guids("a/x"))
			}
		})
	}
}

// touch writes into a copy.
func (w *world) touch(ds string) {
	w.t.Helper()
	w.must("zfs", "set", "readonly=off", ds)
	w.must("zfs", "set", "canmount=on", ds)
	w.command("zfs", "mount", ds).Run()
	w.fill(ds, 3000)
}

// A serving host's holds that a person released are back after the next run,
// before anything is sent.
func TestReleasedOnServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	held := w.holds()
	if code, said := w.ctl("holds", "-release", "offer"); code != 0 {
		t.Fatalf("%d %s", code, said)
	}
	w.done("pull", "fetch")
	w.equal("holds", w.holds(), held...)
}

// Nobody releases a client's holds while it is connected.
func TestReleaseWhileServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	held := w.holds()
	h := w.attack("me", true)
	code, said := w.ctl("holds", "-release", "offer")
	if code != 75 || !strings.Contains(said, "its client is connected") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.equal("holds", w.holds(), held...)
	h.end()
	if code, said := w.ctl("holds", "-release", "offer"); code != 0 {
		t.Errorf("exit status %d: %s", code, said)
	}
}
