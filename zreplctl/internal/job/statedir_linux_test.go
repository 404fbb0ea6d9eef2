package job_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestStateSurvivesReboot: a boot empties the run directory, and what the runs
// have left is still known.
func TestStateSurvivesReboot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.write("c.yml", strings.ReplaceAll(strings.Replace(jobs, "{rundir: DIR/run}", "{rundir: DIR/run, statedir: DIR/state}", 1), "DIR", w.dir))
	if code, said := w.ctl("local", "mirror"); code != 0 {
		t.Fatal(code, said)
	}
	for _, name := range []string{"mirror.json", "mirror.bases"} {
		if _, err := os.Stat(w.path("state/" + name)); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(w.path("run/*.[jb]*")); len(left) > 0 {
		t.Errorf("in the run directory: %v", left)
	}
	before := w.shown("mirror")
	os.RemoveAll(w.path("run"))
	if after := w.shown("mirror"); before.Success == "" || after.Success != before.Success {
		t.Errorf("success was %q, and after a boot %q", before.Success, after.Success)
	}
}

// TestStateDirUnusable: a state directory that cannot be used is one error, with
// what to do. The copies are made all the same, unless what earlier runs left there
// cannot be read.
func TestStateDirUnusable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make   string
		cause  string
		status int
	}{
		"a file":            {"echo >DIR/state", "not a directory", 2},
		"below a file":      {"rm -rf DIR/state; echo >DIR/f; ln -s f/state DIR/state", "not a directory", 2},
		"others can write":  {"mkdir DIR/state; chmod 777 DIR/state", "others can write there", 2},
		"of another user":   {"mkdir DIR/state; chown 65534 DIR/state", "it belongs to another user", 2},
		"full":              {"", "no space left on device", 1},
		"read-only for now": {"", "read-only file system", 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.tree()
			w.write("c.yml", strings.ReplaceAll(strings.Replace(jobs, "{rundir: DIR/run}", "{rundir: DIR/run, statedir: DIR/state}", 1), "DIR", w.dir))
			w.snapshot("s1")
			switch {
			case strings.HasPrefix(name, "of another") && os.Geteuid() != 0:
				t.Log("only root can make a directory of another user")
				return
			case c.make == "" && !w.mounted("state", name):
				t.Log("only root can mount a file system")
				return
			case c.make == "":
			default:
				w.must("sh", "-c", strings.ReplaceAll(c.make, "DIR", w.dir))
			}
			code, said := w.ctl("local", "-skip", "snapshot", "mirror")
			lines := strings.Split(strings.TrimSpace(said), "\n")
			lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasSuffix(line, "\ttaken") })
			if code != c.status || len(lines) != 2 || !strings.Contains(lines[0], "cannot use \""+w.path("state")+"\" as statedir: ") ||
				!strings.Contains(lines[0], c.cause) || !strings.Contains(lines[1], "hint: ") {
				t.Errorf("exit status %d: %s", code, said)
			}
			if c.cause != "not a directory" {
				w.same("a/x", "b/mirror/x")
			}
		})
	}
}

// mounted mounts a file system of one page that is full, or one that cannot be
// written, until the test ends.
func (w *world) mounted(name, how string) bool {
	w.t.Helper()
	if err := os.Mkdir(w.path(name), 0o700); err != nil {
		w.t.Fatal(err)
	}
	flags := uintptr(syscall.MS_RDONLY)
	if how == "full" {
		flags = 0
	}
	if err := syscall.Mount("none", w.path(name), "tmpfs", flags, "size=4096,mode=0700"); err != nil {
		return false
	}
	w.t.Cleanup(func() { syscall.Unmount(w.path(name), syscall.MNT_DETACH) })
	if how == "full" {
		w.write(name+"/fill", strings.Repeat("x", 4096))
	}
	return true
}
