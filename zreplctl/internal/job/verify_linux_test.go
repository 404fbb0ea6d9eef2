package job_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gone waits until no program of this world runs.
func (w *world) gone() {
	w.t.Helper()
	begun := time.Now()
	for len(w.processes()) > 0 && time.Since(begun) < patience { // a promise: see TestKill
		time.Sleep(20 * time.Millisecond)
	}
	if left := w.processes(); len(left) > 0 {
		w.t.Errorf("after %v there are still %v", time.Since(begun), left)
	}
}

// Each program of a verify is killed, or told to end. Nothing goes on, and the
// next one is well.
func TestVerifyKilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words  []string
		signal syscall.Signal
		status int // of verify; -1: it is the victim
	}{
		"verify":               {[]string{"zreplctl", " verify "}, syscall.SIGKILL, -1},
		"verify by a signal":   {[]string{"zreplctl", " verify "}, syscall.SIGTERM, 128 + int(syscall.SIGTERM)},
		"serve":                {[]string{"zreplctl", " serve me"}, syscall.SIGKILL, 75},
		"zfs send":             {[]string{"zfs", " send ", " a/x@s1"}, syscall.SIGKILL, 1},
		"zfs send of the copy": {[]string{"zfs", " send ", " b/back/a/x@s1"}, syscall.SIGKILL, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.fill("a/x", 4<<20)
			w.snapshot("s1")
			w.done("pull", "fetch")
			w.write("sim/faults", "on=send match=a/x@s1 from=1 wait=1000000\n")
			run := w.command("zreplctl", "-config", w.path("c.yml"), "verify", "-dataset", "a/x", "fetch")
			var said bytes.Buffer
			run.Stdout, run.Stderr = &said, &said
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			w.find("zfs", " send ", " a/x@s1")
			w.find("zfs", " send ", " b/back/a/x@s1")
			syscall.Kill(w.find(c.words...), c.signal)
			run.Wait()
			if code := run.ProcessState.ExitCode(); code != c.status {
				t.Errorf("exit status %d: %s", code, said.String())
			}
			w.gone()
			t.Log(said.String())
			w.write("sim/faults", "")
			if code, _, said := w.verified("fetch"); code != 0 {
				t.Errorf("exit status %d: %s", code, said)
			}
		})
	}
}

// slowVerify starts a verify of copies and returns while it reads the copy of a/x,
// which it does until there are no faults. What it says is to be read when it has
// ended.
func (w *world) slowVerify() (*exec.Cmd, *bytes.Buffer) {
	w.t.Helper()
	w.tree()
	w.fill("a/x", 2<<20)
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.write("sim/faults", "on=send match=b/back/a/x@s1 wait=500000\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "verify", "fetch")
	said := new(bytes.Buffer)
	run.Stdout, run.Stderr = said, said
	if err := run.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.sends(" b/back/a/x@s1")
	return run, said
}

// Runs of a job go on beside its verify, and what they prune is no difference.
func TestVerifyBesideRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run, said := w.slowVerify()
	if code, said := w.ctl("verify", "fetch"); code != 75 || !strings.Contains(said, "another verify of this job is active") {
		t.Errorf("a second one: exit status %d: %s", code, said)
	}
	w.snapshot("s2")
	w.done("pull", "fetch")
	if out, err := w.command("zfs", "destroy", "b/back/a/x@s1").CombinedOutput(); err == nil || !strings.Contains(string(out), "busy") {
		t.Errorf("destroyed while it is read: %s", out)
	}
	for _, snapshot := range []string{"b/back/a/z@s1", "a/x/y@s1"} { // these come later
		w.release(strings.TrimSuffix(snapshot, "@s1"))
		w.must("zfs", "destroy", snapshot)
	}
	w.write("sim/faults", "")
	run.Wait()
	if code := run.ProcessState.ExitCode(); code != 0 || !strings.Contains(said.String(), "ok\ta/z\tb/back/a/z\t@s2") ||
		!strings.Contains(said.String(), "ok\ta/x/y\tb/back/a/x/y\t@s2") || !strings.Contains(said.String(), "ok\ta/x\tb/back/a/x\t@s1") {
		t.Errorf("exit status %d: %s", code, said.String())
	}
}

// What verify reads counts against the rate of each side, and on a source it
// takes one of the sessions, which a run waits for.
func TestVerifyLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 3<<20)
	w.extend(`- {name: few, type: source, serve: {type: stdinserver, client_identities: [c1, c2]}, datasets: {"a/x": ok}, sessions: 1}
- {name: get1, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, c1]}, mapping: {"a/x": b/get1}}
- {name: get2, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, c2]}, mapping: {"a/x": b/get2}}
`)
	w.snapshot("s1")
	w.done("pull", "get1")
	w.done("pull", "get2")
	w.replace("sessions: 1}", "sessions: 1, rate: 1M}")
	begun := time.Now()
	run := w.command("zreplctl", "-config", w.path("c.yml"), "verify", "get1")
	var said bytes.Buffer
	run.Stdout, run.Stderr = &said, &said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.waitFor("it has a place", func() bool { return strings.Contains(placesIn(w), `"@look"`) })
	w.done("pull", "get2")
	if took := time.Since(begun); took < 2500*time.Millisecond {
		t.Errorf("the run did not wait: %v", took)
	}
	if err := run.Wait(); err != nil || !strings.Contains(said.String(), "ok\ta/x\t") {
		t.Errorf("%v: %s", err, said.String())
	}
	w.replace(", rate: 1M}", "}")
	w.replace("{name: get1, ", "{name: get1, rate: 1M, ")
	begun = time.Now()
	if code, _, said := w.verified("get1"); code != 0 || time.Since(begun) < 2500*time.Millisecond {
		t.Errorf("exit status %d after %v: %s", code, time.Since(begun), said)
	}
}

// A run leaves what verify reads, and says so; the next one destroys it. What
// another zfs send reads is a failure, and so is what verify reads for more
// than a day.
func TestVerifyBesidePrune(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 1<<20)
	w.extend("- {name: pruned, type: local, mapping: {\"a/x\": b/pruned}, snapshot_prefix: s, shared_prefix: true, prune_lhs: {keep: [{type: last_n, count: 1}]}, prune_rhs: {keep: [{type: last_n, count: 1}]}}\n")
	w.snapshot("s1")
	w.done("local", "pruned")
	w.write("sim/faults", "on=send match=x@s1 wait=500000\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "verify", "pruned")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.sends("a/x@s1")
	w.must("zfs", "snapshot", "a/x@s2")
	w.must("zfs", "snapshot", "a/x@s3")
	prune := func() (int, string) { return w.ctl("local", "-skip", "snapshot", "pruned") }
	if code, said := prune(); code != 0 || !strings.Contains(said, `kept "a/x@s1": zreplctl verify reads it; the next run after that destroys it`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	notes, err := filepath.Glob(w.path("run/reading/*"))
	for _, note := range notes {
		began := time.Now().Add(-25 * time.Hour)
		err = errors.Join(err, os.Chtimes(note, began, began))
	}
	if err != nil || len(notes) == 0 {
		t.Fatal(notes, err)
	}
	if code, said := prune(); code != 1 || !strings.Contains(said, `cannot destroy "a/x@s1": dataset is busy`) || !strings.Contains(said, "or a zreplctl verify that began more than a day ago") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.write("sim/faults", "")
	if err := run.Wait(); err != nil {
		t.Error(err)
	}
	if code, said := prune(); code != 0 {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.equal("snapshots", w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "a/x", "b/pruned"), "a/x@s3", "b/pruned@s3")

	w.write("sim/faults", "on=send match=x@s3 rate=50000\n")
	other := w.command("zfs", "send", "a/x@s3")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer other.Process.Kill()
	w.sends("a/x@s3")
	w.must("zfs", "snapshot", "a/x@s4")
	if code, said := prune(); code != 1 || !strings.Contains(said, `cannot destroy "a/x@s3": dataset is busy`) || !strings.Contains(said, "a zfs send that is not zreplctl's reads it,") {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// A dataset that is destroyed while others are read cannot be compared; a snapshot
// that nothing takes the place of is skipped, and was not looked at.
func TestVerifyDestroyedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run, said := w.slowVerify()
	w.release("b/back/a/z")
	w.must("zfs", "destroy", "-r", "b/back/a/z")
	w.release("b/back/a/x/y")
	w.must("zfs", "destroy", "b/back/a/x/y@s1")
	w.write("sim/faults", "")
	run.Wait()
	if code := run.ProcessState.ExitCode(); code != 1 || !strings.Contains(said.String(), "cannot\ta/z\tb/back/a/z\t-\tthe copy was destroyed meanwhile") ||
		!strings.Contains(said.String(), "skipped\ta/x/y\t") {
		t.Errorf("exit status %d: %s", code, said.String())
	}
}

// lookedBefore says that verify has looked at all of a job's copies an hour before.
func (w *world) lookedBefore(job string) {
	w.t.Helper()
	hourEarlier := func(text string) string {
		at, err := strconv.Atoi(text[len(`"tried":`):])
		if err != nil {
			w.t.Fatal(err)
		}
		return fmt.Sprintf(`"tried":%d`, at-3600)
	}
	note := "run/" + job + ".verified"
	text := regexp.MustCompile(`"tried":\d+`).ReplaceAllStringFunc(w.read(note), hourEarlier)
	if !strings.Contains(text, `"tried":`) {
		w.t.Fatalf("the note of verify says %s", text)
	}
	w.write(note, text)
}

// One dataset that never comes to an end does not keep the others from being
// compared: it was looked at, even if all is killed or its connection is lost.
func TestVerifyNeverEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.verified("fetch")
	w.lookedBefore("fetch")
	w.write("sim/faults", "on=send match=a@s1 from=1 hang\non=send match=b/back/a@s1 from=1 hang\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "verify", "-sample", "1/5", "fetch")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.find("zfs", " send ", " a@s1")
	syscall.Kill(run.Process.Pid, syscall.SIGKILL)
	run.Wait()
	w.gone()
	if code, lines, said := w.verified("-sample", "1/5", "fetch"); code != 0 || len(lines) != 1 || lines[0] == "ok a" {
		t.Errorf("after it was killed: exit status %d: %s", code, said)
	}
	run = w.command("zreplctl", "-config", w.path("c.yml"), "verify", "fetch")
	var said bytes.Buffer
	run.Stdout, run.Stderr = &said, &said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.find("zfs", " send ", " a@s1")
	w.find("zfs", " send ", " b/back/a@s1")
	syscall.Kill(w.find("zreplctl", " serve me"), syscall.SIGKILL)
	run.Wait()
	if code := run.ProcessState.ExitCode(); code != 75 || strings.Count(said.String(), "ok\t") != 4 || !strings.Contains(said.String(), "cannot\ta\tb/back/a\t-\tthe connection was lost: ") {
		t.Errorf("a connection that is lost once: exit status %d: %s", code, said.String())
	}
}
