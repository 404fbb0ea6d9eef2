package job_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// While a restore reads a snapshot nobody can destroy it, and the job runs. A
// second restore from the job is told to come back.
func TestRestoreBeside(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string][]string{"restore": {"zreplctl", " restore "}, "zfs send": {"zfs", " send "}, "zfs receive": {"zfs", " receive "}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.fill("a/x", 4<<20)
			w.snapshot("s1")
			w.done("local", "mirror")
			held := w.holds()
			w.write("sim/faults", "on=send match=b/mirror/x@s1 wait=2000000\n")
			run := w.command("zreplctl", "-config", w.path("c.yml"), "restore", "-r", "mirror", "a/x", "b/new")
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			w.sends("b/mirror/x@s1")
			if out, err := w.command("zfs", "destroy", "b/mirror/x@s1").CombinedOutput(); err == nil {
				t.Errorf("destroyed while it is read: %s", out)
			}
			w.done("local", "mirror")
			w.restored(75, "mirror", "a/x/y", "b/other")
			w.restored(75, "-abandon", "mirror", "b/new")
			syscall.Kill(w.find(kill...), syscall.SIGKILL)
			w.write("sim/faults", "") // a send that waits does not see that nobody reads it
			run.Wait()
			w.waitFor("its programs end", func() bool { return len(w.processes()) == 0 })
			w.done("local", "mirror")
			w.restored(0, "-r", "mirror", "a/x", "b/new")
			w.equal("holds", w.holds(), held...)
			w.same("b/new", "b/mirror/x")
		})
	}
}

// A restore that is killed before or after any of its zfs commands is completed
// by the same command. It then holds nothing, and a person activates the result.
func TestRestoreKilledAnywhere(t *testing.T) {
	t.Parallel()
	for when, first := range map[string]int{"before": 1, "after": 2} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, ds := range []string{"a/x", "a/x/y", "a/x/y/z"} {
				w.must("zfs", "create", ds)
				w.fill(ds, 1000)
			}
			w.snapshot("s1")
			w.done("local", "mirror")
			w.must("zfs", "release", "zreplctl_last_mirror", "b/mirror/x/y@s1")
			w.must("zfs", "destroy", "b/mirror/x/y@s1")
			w.must("zfs", "set", "zreplctl:placeholder=on", "b/mirror/x/y")
			held := w.holds()
			for n, over := first, false; !over; n += 2 {
				over = w.killedRestore(fmt.Sprintf("n=%d kill=%s", n, when))
				said := w.restored(0, "-r", "mirror", "a/x", "b/new")
				w.equal("holds", w.holds(), held...)
				for _, command := range next(said) {
					w.must(command...)
				}
				w.same("b/new", "b/mirror/x")
				if text := w.settings("b/new"); strings.Contains(text, "zreplctl:") || strings.Contains(text, "readonly") {
					t.Errorf("marks are left:\n%s", text)
				}
				if t.Failed() || n > 100 {
					t.Fatalf("killed %s command %d", when, n)
				}
				w.must("zfs", "destroy", "-r", "b/new")
			}
		})
	}
}

// killedRestore restores with a fault that kills, and reports whether it came to
// its end nevertheless.
func (w *world) killedRestore(fault string) (over bool) {
	w.write("sim/faults", fault+"\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "restore", "-r", "mirror", "a/x", "b/new")
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it kills the group
	run.Run()
	w.waitFor("its programs end", func() bool { return len(w.processes()) == 0 })
	w.write("sim/faults", "")
	return run.ProcessState.Success()
}

// What a restore from a job holds that was removed counts as the job's.
func TestRestoreJobRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 4<<20)
	w.snapshot("s1")
	w.done("local", "mirror")
	w.write("sim/faults", "on=send cut=2000000\n")
	w.restored(1, "mirror", "a/x", "b/new")
	w.write("sim/faults", "")
	code, said := w.ctl("holds", "-release", "mirror")
	w.speaks(said, "zreplctl restore -abandon mirror TARGET")
	w.equal("holds", w.restoring(), "b/mirror/x@s1 zreplctl_restore_mirror:b:new")
	w.without("mirror")
	if code, said = w.ctl("holds", "-release", "mirror"); code != 0 {
		t.Error(said)
	}
	w.equal("holds", w.restoring())
}

// A copy that is renamed while it is read takes its hold along, which is said.
func TestRestoreRenamedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x/y", 2<<20)
	w.snapshot("s1")
	w.done("local", "mirror")
	w.write("sim/faults", "on=send match=b/mirror/x/y@s1 rate=700000\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "restore", "mirror", "a/x/y", "b/new")
	var said strings.Builder
	run.Stdout, run.Stderr = &said, &said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.sends("b/mirror/x/y@s1")
	w.must("zfs", "rename", "b/mirror/x/y", "b/elsewhere")
	run.Wait()
	if code := run.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	w.speaks(said.String(), `hold is left on "b/elsewhere@s1"`, "-abandon mirror b/new", "zreplctl activate b/new\n")
}
