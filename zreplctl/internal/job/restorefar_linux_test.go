package job_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// While a client takes back what it has sent, its job does not run, nor another
// restore of it. The other way round it is the same.
func TestRestoreFarBeside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.givesBack()
	w.tree()
	w.fill("a/x", 4<<20)
	w.snapshot("s1")
	w.write("sim/faults", "on=send match=a/x@s1 wait=2000000\n")
	push := w.command("zreplctl", "-config", w.path("c.yml"), "push", "-skip", "snapshot,prune", "pushit")
	if err := push.Start(); err != nil {
		t.Fatal(err)
	}
	w.sends(" a/x@s1")
	w.speaks(w.restored(75, "pushit", "a/x", "b/new"), "another run of this job is active")
	syscall.Kill(push.Process.Pid, syscall.SIGTERM)
	w.write("sim/faults", "")
	push.Wait()
	w.waitFor("its programs end", func() bool { return len(w.processes()) == 0 })
	w.done("push", "pushit")
	w.write("sim/faults", "on=send match=b/sink/pusher/a/x@s1 wait=2000000\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "restore", "pushit", "a/x", "b/new")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.sends("b/sink/pusher/a/x@s1")
	if out, err := w.command("zfs", "destroy", "b/sink/pusher/a/x@s1").CombinedOutput(); err == nil {
		t.Errorf("destroyed while it is read: %s", out)
	}
	if code := w.tried("push", "pushit"); code != 75 {
		t.Errorf("push: exit status %d", code)
	}
	w.restored(75, "pushit", "a/x/y", "b/other")
	w.restored(75, "-abandon", "pushit", "b/new")
	syscall.Kill(run.Process.Pid, syscall.SIGKILL)
	w.write("sim/faults", "")
	run.Wait()
	w.waitFor("its programs end", func() bool { return len(w.processes()) == 0 })
	w.restored(0, "pushit", "a/x", "b/new")
	w.equal("holds", w.restoring())
	w.sameGUID("b/new@s1", "a/x@s1")
}

// Whatever command of either side kills what runs it, the same command completes
// the restore, and nothing is held then.
func TestRestoreFarKilledAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.givesBack()
	for _, ds := range []string{"a/x", "a/x/y"} {
		w.must("zfs", "create", ds)
		w.fill(ds, 1000)
	}
	w.snapshot("s1")
	w.done("push", "pushit")
	held := w.holds()
	for n, over := 1, false; !over; n += 3 { // each costs much: both kinds in turn
		when := []string{"before", "after"}[n%2]
		w.write("sim/faults", fmt.Sprintf("n=%d kill=%s\n", n, when))
		run := w.command("zreplctl", "-config", w.path("c.yml"), "restore", "-r", "pushit", "a/x", "b/new")
		run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it kills the group
		run.Run()
		w.waitFor("its programs end", func() bool { return len(w.processes()) == 0 })
		w.write("sim/faults", "")
		over = run.ProcessState.Success()
		w.restored(0, "-r", "pushit", "a/x", "b/new")
		w.equal("holds", w.holds(), held...)
		w.same("b/new", "b/sink/pusher/a/x")
		if t.Failed() || n > 100 {
			t.Fatalf("killed %s command %d", when, n)
		}
		w.must("zfs", "destroy", "-r", "b/new")
	}
}

// A restore is no run of the client's job: it does not make a copy look fresh,
// and the log of the sink says what it was. A paused sink gives nothing back.
func TestRestoreFarNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.givesBack()
	w.tree()
	w.snapshot("s1")
	w.done("push", "pushit")
	before := w.lastSession()
	w.replace("[zreplctl, -config, "+w.path("c.yml")+", serve, pusher]", "[zstdinserver, -sockdir, "+w.path("run/stdinserver")+", pusher]")
	w.daemon()
	w.restored(0, "-r", "pushit", "a/x", "b/new")
	if after := w.lastSession(); after != before {
		t.Errorf("the client's last session was %s, and is %s", before, after)
	}
	_, said := w.ctl("log", "sink")
	w.speaks(said, "client pusher restored\t")
	if code, said := w.ctl("pause", "sink"); code != 0 {
		t.Fatal(said)
	}
	w.speaks(w.restored(75, "pushit", "a/x", "b/two"), "paused")
	if !slices.Equal(w.restoring(), nil) {
		t.Errorf("holds: %q", w.restoring())
	}
}

// A restore that comes to nothing says no run to the sink, whose copies would look
// fresh: also a sink that knows nothing of restores would note it as one.
func TestRestoreFarNoRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("push", "pushit")
	session, runs := w.lastSession(), w.read("run/pusher.client")
	same := func(what string) {
		t.Helper()
		if after := w.read("run/pusher.client"); after != runs {
			t.Errorf("%s: the client's runs were %s, and are %s", what, runs, after)
		}
		if after := w.lastSession(); after != session {
			t.Errorf("%s: the client's last session was %s, and is %s", what, session, after)
		}
	}
	w.restored(1, "-r", "pushit", "a/x", "b/new") // as with an older sink, the listing fails
	same("a sink that refuses")
	w.givesBack()
	for what, args := range map[string][]string{"no parent": {"a/x", "b/none/new"}, "a covered target": {"a/x", "a/x/new"}, "no such copy": {"a/none", "b/new"},
		"no such snapshot": {"a/x@none", "b/new"}, "only a look": {"-n", "a/x", "b/new"}, "nothing to abandon": {"-abandon", "b/new"}} {
		flags := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a[0] != '-' })
		rest := args[len(flags):]
		w.restored(map[bool]int{true: 0, false: 1}[len(flags) > 0], append(append(flags, "pushit"), rest...)...)
		same(what)
	}
}

// A connection that only asks for the sizes of copies is no run either.
func TestRestoreFarSizesNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.givesBack()
	w.tree()
	w.snapshot("s1")
	w.done("push", "pushit")
	before := w.lastSession()
	h := w.attack("pusher", true)
	if err := h.ask(t.Context(), "sizes", []transfer.SendRequest{{Dataset: "b/sink/pusher/a/x"}}); err != nil {
		t.Error(err)
	}
	h.leave()
	if after := w.lastSession(); after != before {
		t.Errorf("the client's last session was %s, and is %s", before, after)
	}
}

// lastSession is what the sink notes of its client's last run.
func (w *world) lastSession() string {
	w.t.Helper()
	files, _ := filepath.Glob(w.path("*/pusher.sessions"))
	more, _ := filepath.Glob(w.path("*/*/pusher.sessions"))
	if files = append(files, more...); len(files) != 1 {
		w.t.Fatalf("%q", files)
	}
	text, err := os.ReadFile(files[0])
	last, _, ok := strings.Cut(string(text), "}")
	if err != nil || !ok {
		w.t.Fatalf("%v: %s", err, text)
	}
	return last
}
