package job_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNoRunDir: who is not root and has no directory for such things is told to
// name one, and nothing is made among everybody's temporary files.
func TestNoRunDir(t *testing.T) {
	t.Parallel()
	const uid = 54321 // nobody's
	if os.Geteuid() != 0 {
		t.Skip("only root can be a user who never logged in")
	}
	w := newWorld(t)
	tmp, file := w.path("tmp"), w.path("c.yml")
	w.write("c.yml", strings.Replace(jobs, "global: {rundir: DIR/run}", "", 1))
	if err := errors.Join(os.Chmod(filepath.Dir(w.dir), 0o755), os.Chmod(file, 0o644), os.Mkdir(tmp, 0o700), os.Chmod(tmp, 0o777)); err != nil {
		t.Fatal(err)
	}
	ctl := func(xdg string, args ...string) (int, string) {
		c := w.command(append([]string{"zreplctl", "-config", file}, args...)...)
		c.Dir, c.Env = "/", append(c.Env, "TMPDIR="+tmp, "XDG_RUNTIME_DIR="+xdg)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := c.CombinedOutput()
		if c.ProcessState == nil {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), string(out)
	}
	for _, args := range [][]string{{"daemon"}, {"local", "mirror"}, {"autosnap", "mirror"}} {
		if code, said := ctl("", args...); code != 2 || !strings.Contains(said, "rundir in global") {
			t.Errorf("%v: %d, %s", args, code, said)
		}
	}
	for xdg, want := range map[string]string{"": "/run/user/54321/zreplctl", "run": "/run/user/54321/zreplctl", "/x": "/x/zreplctl"} {
		if code, said := ctl(xdg, "config"); code != 0 || !strings.Contains(said, "rundir: "+want+"\n") {
			t.Errorf("config with %q: %d, %s", xdg, code, said)
		}
	}
	for _, args := range [][]string{{"check"}, {"status"}} {
		if code, said := ctl("", args...); code != 0 {
			t.Errorf("%v: %d, %s", args, code, said)
		}
	}
	if made, err := os.ReadDir(tmp); err != nil || len(made) > 0 {
		t.Errorf("made %v, %v", made, err)
	}
}
