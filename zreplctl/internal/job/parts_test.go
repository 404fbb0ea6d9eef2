package job_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestNoPrefix: what no policy could tell from others is not made.
func TestNoPrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("theirs")
	before := w.must("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "a")
	text, _ := os.ReadFile(w.path("c.yml"))
	w.write("c.yml", strings.ReplaceAll(string(text), "  snapshot_prefix: s\n", ""))
	w.done("local", "mirror")
	w.done("push", "pushit")
	if code, said := w.ctl("autosnap", "offer"); code != 2 || !strings.Contains(said, "without snapshot_prefix") {
		t.Errorf("autosnap: %d, %s", code, said)
	}
	if after := w.must("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "a"); after != before {
		t.Errorf("there were\n%sand now there are\n%s", before, after)
	}
}

// TestPassive: a job that only serves has no plan, and nobody to abandon.
func TestPassive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, command := range []string{"plan", "abandon"} {
		if code, said := w.ctl(command, "offer"); code != 2 || !strings.Contains(said, `"offer": a job of type source does not replicate`) {
			t.Errorf("%s: %d, %s", command, code, said)
		}
	}
}

// TestHoldsOfOne lets go of what jobs hold whose names are the ends of others'
// names, which keep theirs.
func TestHoldsOfOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(`
- {name: back_mirror, type: local, mapping: {"a/x<": b/other/x}, snapshot_prefix: s}
- {name: back_marks, type: local, cursor: bookmark, mapping: {"a/x<": b/more/x}, snapshot_prefix: s}
`)
	w.tree()
	w.snapshot("s1")
	w.done("local", "back_mirror")
	w.done("local", "back_marks")
	held, marks := w.holds(), w.lines("zfs", "list", "-H", "-t", "bookmark", "-o", "name")
	for _, name := range []string{"mirror", "marks", "gone", "rror"} {
		if code, said := w.ctl("holds", "-release", name); code != 0 || said != "" {
			t.Errorf("holds -release %s, which has never run: %d, %s", name, code, said)
		}
	}
	w.equal("holds", w.holds(), held...)
	w.equal("bookmarks", w.lines("zfs", "list", "-H", "-t", "bookmark", "-o", "name"), marks...)

	lock, err := os.OpenFile(w.path("run/back_mirror.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	lock.WriteAt([]byte("1\n"), 0) // a process that is there
	if code, said := w.ctl("holds", "-release", "back_mirror"); code != 75 || !strings.Contains(said, "another run of this job is active") {
		t.Errorf("holds -release of a job that runs: %d, %s", code, said)
	}
	lock.Close()
	if code, said := w.ctl("holds", "-release", "back_mirror"); code != 0 || strings.Count(said, "\n") != 4 {
		t.Errorf("holds -release: %d, %s", code, said)
	}
}

// TestStatusAfterPart: a part that goes well does not make good what the run
// before it failed in, and neither does another part.
func TestStatusAfterPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(`
- {name: kept, type: local, mapping: {"a/x<": b/kept/x}, snapshot_prefix: s, shared_prefix: true, prune_lhs: {keep: [{type: last_n, count: 5}]}}
- {name: so, type: source, serve: {type: stdinserver, client_identity: so}, datasets: {"a/x": ok, "a/gone": ok}, snapshot_prefix: q,
   prune: {keep: [{type: last_n, count: 5}]}}
`)
	w.tree()
	w.must("zfs", "create", "-p", "b/kept/x")
	w.must("zfs", "snapshot", "b/kept/x@other")
	status := func(name string, exit int, says string, commands ...string) {
		t.Helper()
		for _, c := range commands {
			w.ctl(strings.Fields(c)...)
		}
		if got := w.shown(name); got.Last.Status != exit || (got.State == "failed") != (exit != 0) || !strings.Contains(got.Last.Error, says) {
			t.Errorf("after %s: %+v", commands, got)
		}
	}
	status("kept", 1, "unrelated", "local kept", "prune kept")
	w.ctl("holds", "-release", "kept")
	w.must("zfs", "destroy", "-r", "b/kept")
	status("kept", 0, "", "local kept")
	status("so", 1, "a/gone", "autosnap so", "prune so")
	w.must("zfs", "create", "a/gone")
	status("so", 0, "", "autosnap so")
}
