package job_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// asUser runs a command as another user, as sshd does.
func asUser(uid string, command ...string) error {
	n, err := strconv.Atoi(uid)
	if err != nil {
		return err
	}
	for _, set := range []func() error{
		func() error { return os.Chdir("/") },
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setgid(n) },
		func() error { return syscall.Setuid(n) },
	} {
		if err := set(); err != nil {
			return err
		}
	}
	return syscall.Exec(command[0], command, os.Environ())
}

// TestSessionUser follows the example of zstdinserver(8) line by line, for a
// pull through a session of a user without rights.
func TestSessionUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be two users")
	}
	const uid = "65534"
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	if err := os.Chmod(filepath.Dir(w.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../../zstdinserver/zstdinserver.8")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile("(?m)^install .*$").FindAllString(string(manual), -1)
	if len(lines) != 2 {
		t.Fatalf("the example is %q", lines)
	}
	for _, line := range lines {
		line = strings.NewReplacer("/var/run/zreplctl", w.path("run"), "-o repl", "-o "+uid).Replace(line)
		w.must("sh", "-c", line)
	}
	w.daemon()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	session := fmt.Sprintf("[%s, as-user, %q, %s, -sockdir, DIR/run/stdinserver, me]", self, uid, filepath.Join(bin, "zstdinserver"))
	puller := strings.NewReplacer("[zreplctl, -config, DIR/c.yml, serve, me]", session, "rundir: DIR/run", "rundir: DIR/puller").Replace(jobs)
	w.write("puller.yml", strings.ReplaceAll(puller, "DIR", w.dir))
	w.must("zreplctl", "-config", w.path("puller.yml"), "pull", "fetch")
	w.same("a/x", "b/back/a/x")
}

// TestControlInRunDir: a control socket that the configuration has straight in
// the run directory keeps that one closed.
func TestControlInRunDir(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("c.yml", strings.ReplaceAll(strings.Replace(jobs, "DIR/run}", "DIR/run, control: {sockpath: DIR/run/control}}", 1), "DIR", w.dir))
	w.ctl("local", "mirror") // as cron may, before the daemon starts
	w.daemon()
	if info, err := os.Stat(w.path("run")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

// daemon runs one until the test ends.
func (w *world) daemon() {
	w.t.Helper()
	r, ready, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	c := w.command("zreplctl", "-config", w.path("c.yml"), "daemon", "-ready-fd", "3")
	var said strings.Builder
	c.ExtraFiles, c.Stderr = []*os.File{ready}, &said
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	ready.Close()
	w.t.Cleanup(func() { w.end(c) })
	if line, _ := bufio.NewReader(r).ReadString('\n'); line != "ready\n" {
		w.end(c)
		w.t.Fatalf("the daemon is not ready: %s", said.String())
	}
}

func (w *world) end(c *exec.Cmd) {
	if c.ProcessState == nil {
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
	}
}
