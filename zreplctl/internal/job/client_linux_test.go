package job_test

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

const clientJobs = `
- {name: src, type: source, serve: {type: stdinserver, client_identity: one}, datasets: {"a/x": ok}, snapshot_prefix: s}
- {name: first, type: pull, mapping: {"a<": b/first}, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, one]}}
`

// elsewhere is the same job on another host, such as one that was restored.
const elsewhere = `
global: {rundir: DIR/run2}
jobs:
- {name: first, type: pull, mapping: {"a<": b/second}, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, one]}}
`

// second runs a command about the job elsewhere.
func (w *world) second(args ...string) (int, string) {
	w.t.Helper()
	w.write("c2.yml", strings.ReplaceAll(elsewhere, "DIR", w.dir))
	c := w.command(append([]string{"zreplctl", "-config", w.path("c2.yml")}, args...)...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		w.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// secondPull has to succeed.
func (w *world) secondPull() {
	w.t.Helper()
	if code, said := w.second("pull", "-skip", "prune", "first"); code != 0 {
		w.t.Fatalf("exit status %d: %s", code, said)
	}
}

// slowPull starts a pull and waits until its stream flows.
func (w *world) slowPull(job string) (*exec.Cmd, *bytes.Buffer) {
	w.t.Helper()
	w.write("sim/faults", "on=send n=1 wait=2000000\n")
	c := w.command("zreplctl", "-config", w.path("c.yml"), "pull", "-skip", "prune", "-retries", "2", job)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.find("zfs", " receive ", "b/"+job)
	return c, &said
}

func oneClient(t *testing.T) *world {
	w := newWorld(t)
	w.extend(clientJobs)
	w.must("zfs", "create", "a/x")
	w.fill("a/x", 12<<20)
	w.snapshot("s1")
	return w
}

// TestNewerRun has two runs with one identity, without a daemon: the newer
// one ends the older, which is not let in again and says so.
func TestNewerRun(t *testing.T) {
	t.Parallel()
	w := oneClient(t)
	older, said := w.slowPull("first")
	w.secondPull()
	older.Wait()
	if code := older.ProcessState.ExitCode(); code != 75 || !strings.Contains(said.String(), `a newer run of "one" has taken over since 20`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.same("a/x", "b/second/x")
	w.done("pull", "first") // it goes on where it was
	w.same("a/x", "b/first/x")
}

// TestStuckRun has a newer run come while a server of the older one does not
// end: it says since when that is going on. One who only looks is served.
func TestStuckRun(t *testing.T) {
	t.Parallel()
	w := oneClient(t)
	older, _ := w.slowPull("first")
	server := w.find("zreplctl", " serve one")
	stop(t, server)
	if code, said := w.second("plan", "first"); code != 0 {
		t.Errorf("plan: exit status %d: %s", code, said)
	}
	code, said := w.second("pull", "-skip", "prune", "first")
	if code != 75 || !strings.Contains(said, `another run of "one" started at 20`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	syscall.Kill(server, syscall.SIGKILL)
	older.Process.Kill()
	older.Wait()
	w.secondPull()
	w.same("a/x", "b/second/x")
}

// TestManyServers lets all connections of one run in, and no other's.
func TestManyServers(t *testing.T) {
	t.Parallel()
	w := oneClient(t)
	hello := func(run string) (*hostile, error) {
		h := w.attack("one", false)
		t.Cleanup(h.end)
		return h, h.Call(t.Context(), "hello", transfer.Hello{Protocol: transfer.Protocol, Run: run}, new(transfer.Welcome))
	}
	look := func(h *hostile) error { return h.ask(t.Context(), "list", transfer.ListRequest{}) }
	var old []*hostile
	for range 3 {
		h, err := hello("r1")
		if err != nil {
			t.Fatal(err)
		}
		old = append(old, h)
	}
	looker, err := hello("")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range append(old, looker) {
		if err := look(h); err != nil {
			t.Errorf("not served: %v", err)
		}
	}
	began := time.Now()
	newer, err := hello("r2")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("let in after %v", time.Since(began).Round(time.Millisecond))
	for _, h := range old {
		if err := look(h); err == nil {
			t.Error("an older run is still served")
		}
	}
	if _, err := hello("r1"); err == nil || !strings.Contains(err.Error(), "a newer run") {
		t.Errorf("an older run is let in again: %v", err)
	}
	if err := look(newer); err != nil {
		t.Error(err)
	}
	if err := look(looker); err != nil {
		t.Error(err)
	}
	w.write("run/one.client", "[{garbage") // as a crash may leave it
	newer.end()
	if _, err := hello("r3"); err != nil {
		t.Error(err)
	}
}
