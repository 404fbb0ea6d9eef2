package job_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestForeignRunDir: where others could write, nothing is written.
func TestForeignRunDir(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	victim := "victim"
	w.write(victim, "precious")
	for name, set := range map[string]func() error{
		"everybody can write":               func() error { return os.Chmod(w.path("run"), 0o777) },
		"belongs to another user":           func() error { return os.Chown(w.path("run"), 65534, -1) },
		"too many levels of symbolic links": func() error { return os.Symlink(w.path(victim), w.path("run/mirror.lock")) },
	} {
		if strings.Contains(name, "another user") && os.Geteuid() != 0 {
			continue // only root can give it away
		}
		os.RemoveAll(w.path("run"))
		if err := os.Mkdir(w.path("run"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := set(); err != nil {
			t.Fatal(err)
		}
		if code, said := w.ctl("local", "mirror"); code == 0 || !strings.Contains(said, name) {
			t.Errorf("%s: %d, %s", name, code, said)
		}
		if text, err := os.ReadFile(w.path(victim)); err != nil || string(text) != "precious" {
			t.Errorf("%s: the victim says %q, %v", name, text, err)
		}
	}
}

// TestNotPassed: a descriptor that nobody passed is refused, though the program
// may have one of that number itself.
func TestNotPassed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for fd := 3; fd < 9; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			continue // whoever started the test passed it on
		}
		n := strconv.Itoa(fd)
		for _, args := range [][]string{{"daemon", "-ready-fd", n}, {"serve", "-status-fd", n, "me"}, {"local", "-progress-fd", n, "mirror"}} {
			if code, said := w.ctl(args...); code != 2 || !strings.Contains(said, "descriptor "+n+" is not open") {
				t.Errorf("%v: %d, %s", args, code, said)
			}
		}
	}
}
