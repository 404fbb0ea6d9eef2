package job_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// background is a daemon of its own.
type background struct {
	w    *world
	cmd  *exec.Cmd
	said logged
}

// logged is a buffer that is read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// daemon starts one, and waits until it listens.
func (w *world) background(flags ...string) *background {
	w.t.Helper()
	b := &background{w: w, cmd: w.command(append([]string{"zreplctl", "-config", w.path("c.yml"), "daemon", "-ready-fd", "3"}, flags...)...)}
	r, ready, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	b.cmd.ExtraFiles, b.cmd.Stderr = []*os.File{ready}, &b.said
	if err := b.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ready.Close()
	w.t.Cleanup(func() { b.cmd.Process.Kill(); b.cmd.Wait() })
	if n, _ := r.Read(make([]byte, 16)); n == 0 {
		w.t.Fatalf("the daemon does not get ready: %s", b.said.String())
	}
	return b
}

// end sends SIGTERM and wants status 0.
func (b *background) end() {
	b.w.t.Helper()
	b.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- b.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			b.w.t.Errorf("the daemon ended with %v: %s", err, b.said.String())
		}
	case <-time.After(patience):
		b.w.t.Fatalf("the daemon does not end: %s", b.said.String())
	}
}

// says waits until the daemon has said something.
func (b *background) says(what string) {
	b.w.t.Helper()
	for began := time.Now(); !strings.Contains(b.said.String(), what); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			b.w.t.Fatalf("it does not say %q: %s", what, b.said.String())
		}
	}
}

// TestDaemonSignals: SIGHUP during a transfer does not end it, whatever the file
// says then; SIGTERM ends it so that the next run continues the stream.
func TestDaemonSignals(t *testing.T) {
	t.Parallel()
	w := oneClient(t)
	d := w.background()
	pull, said := w.slowPull("first")
	good, err := os.ReadFile(w.path("c.yml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("c.yml", "jobs:\n- {name: first, typ: pull}\n- {name: first}\n")
	const wrong = 2    // lines of that file
	for i := range 3 { // the last one must be over before the file is good again
		d.cmd.Process.Signal(syscall.SIGHUP)
		w.waitFor("the file is refused", func() bool {
			return strings.Count(d.said.String(), "cannot reload the configuration") >= wrong*(i+1)
		})
	}
	d.says(`c.yml:2:17: job \"first\": unknown key \"typ\": did you mean \"type\"?`)
	d.says(`c.yml:3:4: job \"first\": the name is taken by the job in line 2`)
	if code, said := w.ctl("reload"); code != 2 || strings.Count(said, "c.yml:") < 2 {
		t.Errorf("reload of a bad file: %d, %s", code, said)
	}
	// What the daemon starts reads what it has accepted.
	w.write("c.yml", string(good)+"- {name: more, type: local, mapping: {\"a/z<\": b/more}, snapshot_prefix: more_}\n")
	if code, said := w.ctl("reload"); code != 0 || said != "more\tadded\n" {
		t.Errorf("reload of a good file: %d, %s", code, said)
	}
	for began := time.Now(); w.command("zfs", "list", "b/first/x").Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatal("nothing arrives")
		}
	}
	w.receives("b/first")
	d.end()
	pull.Wait()
	if code := pull.ProcessState.ExitCode(); code != 75 && code != 143 {
		t.Errorf("the run's client: %d, %s", code, said)
	}
	if token := strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "receive_resume_token", "b/first/x")); token == "-" {
		t.Error("the run left nothing to resume")
	}
	if code, said := w.ctl("reload"); code != 75 || !strings.Contains(said, "no daemon is running") {
		t.Errorf("reload without a daemon: %d, %s", code, said)
	}
	w.write("sim/faults", "")
	w.done("pull", "first")
	w.same("a/x", "b/first/x")
}

// TestReloadsDuringTransfers: a hundred reloads, one in ten of them of a bad
// file, while four transfers run: none of them notices, and the daemon keeps its
// sockets and is no bigger than before.
func TestReloadsDuringTransfers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.fill("a/x", 10<<20)
	w.snapshot("s1")
	var jobs string
	for _, n := range []string{"1", "2", "3", "4"} {
		jobs += "- {name: src" + n + ", type: source, serve: {type: stdinserver, client_identity: c" + n + "}, datasets: {\"a/x\": ok}, snapshot_prefix: s, shared_prefix: true}\n" +
			"- {name: get" + n + ", type: pull, mapping: {\"a<\": b/get" + n + "}, connect: {type: exec, command: [zstdinserver, -sockdir, DIR/run/stdinserver, c" + n + "]}}\n"
	}
	w.extend(jobs)
	good, err := os.ReadFile(w.path("c.yml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("sim/faults", "on=send from=1 wait=2000000\n")
	d := w.background()
	var pulls []*exec.Cmd
	for _, n := range []string{"1", "2", "3", "4"} {
		c := w.command("zreplctl", "-config", w.path("c.yml"), "pull", "-skip", "prune", "get"+n)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		pulls = append(pulls, c)
		w.find("zfs", " receive ", "b/get"+n)
	}
	socket := func() uint64 {
		info, err := os.Stat(w.path("run/stdinserver/c1"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Ino
	}
	files := func() int {
		entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
		return len(entries)
	}
	before, had, reloading := socket(), files(), time.Now()
	more := "- {name: more, type: source, serve: {type: stdinserver, client_identity: more}, datasets: {\"a/x\": ok}}\n"
	for i := range 100 {
		switch {
		case i%10 == 9:
			w.write("c.yml", string(good)+"- {name: wrong}\n")
		case i%2 == 0:
			w.write("c.yml", string(good)+more)
		default:
			w.write("c.yml", string(good))
		}
		said := len(d.said.String())
		d.cmd.Process.Signal(syscall.SIGHUP)
		for began := time.Now(); !strings.Contains(d.said.String()[said:], "the configuration"); time.Sleep(time.Millisecond) {
			if time.Since(began) > patience {
				t.Fatalf("reload %d is not in the log", i)
			}
		}
	}
	w.write("c.yml", string(good))
	d.cmd.Process.Signal(syscall.SIGHUP)
	d.says("added=0 removed=1")
	if socket() != before {
		t.Error("a socket was made anew")
	}
	for n := range pulls {
		w.find("zfs", " receive ", fmt.Sprintf("b/get%d", n+1)) // it is still on
	}
	t.Logf("descriptors %d, and %d after 100 reloads in %s", had, files(), time.Since(reloading).Round(time.Millisecond))
	if files() > had+10 {
		t.Error("descriptors are left")
	}
	w.write("sim/faults", "")
	for i, c := range pulls {
		if err := c.Wait(); err != nil {
			t.Errorf("transfer %d: %v", i+1, err)
		}
		w.same("a/x", fmt.Sprintf("b/get%d/x", i+1))
	}
	d.end()
}

// TestSocketActivation: a daemon takes the control socket from who started it, and
// leaves it there: a command waits for the next daemon.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.path("run/daemon/control")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		asks := w.command("zreplctl", "-config", w.path("c.yml"), "stop", "mirror") // before there is a daemon
		var said strings.Builder
		asks.Stdout, asks.Stderr = &said, &said
		if err := asks.Start(); err != nil {
			t.Fatal(err)
		}
		b := &background{w: w, cmd: w.command("sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec zreplctl -config "$1" daemon`, "sh", w.path("c.yml"))}
		b.cmd.ExtraFiles, b.cmd.Stderr = []*os.File{f}, &b.said
		if err := b.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.cmd.Process.Kill(); b.cmd.Wait() })
		if err := asks.Wait(); err != nil || strings.Contains(said.String(), "no daemon") {
			t.Errorf("%v: %s; the daemon: %s", err, said.String(), b.said.String())
		}
		if second, said := w.ctl("daemon"); second != 75 {
			t.Errorf("a second daemon: %d, %s", second, said)
		}
		b.end()
		if _, err := os.Lstat(path); err != nil {
			t.Error("the manager's socket is gone:", err)
		}
	}
}
