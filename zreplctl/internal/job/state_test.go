package job_test

import (
	"errors"
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
	for _, c := range []struct {
		says string
		set  func() error
	}{
		{"others can write there", func() error { return os.Chmod(w.path("run"), 0o702) }},
		{"others can write there", func() error { return os.Chmod(w.path("run"), 0o770) }},
		{"belongs to another user", func() error { return os.Chown(w.path("run"), 65534, -1) }},
		{"belongs to another user", func() error { return linkOf(65534, w.path("sim"), w.path("run")) }},
		{"too many levels of symbolic links", func() error { return os.Symlink(w.path(victim), w.path("run/mirror.lock")) }},
		{"too many levels of symbolic links", func() error { return os.Symlink(w.path(victim), w.path("run/mirror.json.new")) }},
	} {
		if strings.Contains(c.says, "another user") && os.Geteuid() != 0 {
			continue // only root can give it away
		}
		os.RemoveAll(w.path("run"))
		if err := os.Mkdir(w.path("run"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := c.set(); err != nil {
			t.Fatal(err)
		}
		if code, said := w.ctl("local", "mirror"); code == 0 || !strings.Contains(said, c.says) {
			t.Errorf("%s: %d, %s", c.says, code, said)
		}
		if text, err := os.ReadFile(w.path(victim)); err != nil || string(text) != "precious" {
			t.Errorf("%s: the victim says %q, %v", c.says, text, err)
		}
	}
}

// linkOf puts a link that belongs to another user in place of a directory.
func linkOf(uid int, to, path string) error {
	return errors.Join(os.Remove(path), os.Symlink(to, path), os.Lchown(path, uid, -1))
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
