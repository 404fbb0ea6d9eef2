package peek

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const nobody = 65534

// asUser calls f on a thread that has another effective user, and ends with it.
func asUser(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another user")
	}
	done := make(chan error)
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good
		none := ^uintptr(0)
		unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0) // of this thread alone, as those of package unix are not
		unix.RawSyscall(unix.SYS_SETRESGID, none, nobody, none)
		if _, _, no := unix.RawSyscall(unix.SYS_SETRESUID, none, nobody, none); no != 0 {
			done <- no
			return
		}
		f()
	}()
	must(t, <-done)
}

// Whoever may change the target's folder puts a file of somebody else, or a folder, in
// the place of what is not whole. It stays as it is, and the copy appears all the same.
func TestCopyIntoHostileFolder(t *testing.T) {
	s, dir := snapshot(t)
	write(t, dir+"/file", "inside")
	write(t, dir+"/t/a", "inside")
	must(t, os.Symlink("/nowhere", dir+"/t/link"))
	for _, path := range []string{"file", "t"} {
		to := t.TempDir()
		write(t, to+"/victim/secret", "secret")
		moved := false
		c := &Copier{Recursive: true, Wrote: func(int) {
			if moved {
				return
			}
			moved = true
			unfinished := strings.Fields(names(t, to))[0]
			info, err := os.Lstat(to + "/" + unfinished)
			if err != nil || !strings.HasPrefix(unfinished, Unfinished) || !info.IsDir() || info.Mode().Perm() != 0o700 {
				t.Error(unfinished, info, err)
			}
			must(t, os.Rename(to+"/"+unfinished, to+"/taken"))
			must(t, os.Rename(to+"/victim", to+"/"+unfinished))
		}}
		err := c.Copy(t.Context(), s, path, to, "new")
		if err == nil || !errors.Is(err, unix.ENOTEMPTY) { // what is in its place is not removed
			t.Error(path, err)
		}
		at := map[string]string{"file": "/new", "t": "/new/a"}[path]
		if text, err := os.ReadFile(to + at); err != nil || string(text) != "inside" {
			t.Errorf("%q: %q, %v", path, text, err)
		}
		if all := strings.Fields(names(t, to)); len(all) != 3 || names(t, to+"/"+all[0]) != "secret" || names(t, to+"/taken") != "" {
			t.Error(path, all)
		}
	}
}

// A stage is made by this very user, empty and closed to others, or it is none.
func TestStage(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"open": 0o750, "full": 0o700, "other": 0o700, "good": 0o700} {
		must(t, os.Mkdir(dir+"/"+name, mode))
		must(t, os.Chmod(dir+"/"+name, mode))
	}
	write(t, dir+"/full/x", "")
	if os.Geteuid() == 0 {
		must(t, os.Chown(dir+"/other", nobody, nobody))
	}
	for _, name := range []string{"open", "full", "other", "good"} {
		at, err := os.OpenRoot(dir + "/" + name)
		must(t, err)
		if err := private(at); (err == nil) != (name == "good" || name == "other" && os.Geteuid() != 0) {
			t.Errorf("%q: %v", name, err)
		}
		at.Close()
	}
}

// A setuid program of another user would run as the one who restores it, and what only
// a group may read would be read by that one's.
func TestCopyOwnerNotKept(t *testing.T) {
	s, dir := snapshot(t)
	write(t, dir+"/program", "text")
	write(t, dir+"/paper", "text")
	to := t.TempDir()
	must(t, os.Chmod(to+"/..", 0o755))
	must(t, os.Chmod(to, 0o777))
	must(t, unix.Chmod(dir+"/program", 0o6755))
	must(t, os.Chmod(dir+"/paper", 0o664))
	notes := ""
	c := &Copier{Setuid: true, Note: func(text string) { notes += text + "\n" }}
	asUser(t, func() {
		for _, name := range []string{"program", "paper"} {
			if err := c.Copy(t.Context(), s, name, to, name); err != nil {
				t.Error(err)
			}
		}
	})
	if strings.Count(notes, "cannot keep the owner") != 2 || strings.Count(notes, "dropped the setuid") != 1 {
		t.Error(notes)
	}
	for name, want := range map[string]os.FileMode{"program": 0o755, "paper": 0o644} {
		if info, err := os.Stat(to + "/" + name); err != nil || info.Mode() != want {
			t.Error(name, info.Mode(), err)
		}
	}
}

// One file that cannot be read does not cost the others, and is counted.
func TestCopyInPart(t *testing.T) {
	s, dir := snapshot(t)
	write(t, dir+"/t/a", "text")
	write(t, dir+"/t/bad/x", "text")
	write(t, dir+"/t/sub/b", "text")
	write(t, dir+"/t/sub/c", "text")
	must(t, os.Chmod(dir+"/t/sub/b", 0o600))
	must(t, os.Chmod(dir+"/t/bad", 0o700))
	to := t.TempDir()
	must(t, os.Chmod(to+"/..", 0o755))
	must(t, os.Chmod(to, 0o777))
	missing := ""
	c := &Copier{Recursive: true, Missing: func(text string) { missing += text + "\n" }}
	var err error
	asUser(t, func() { err = c.Copy(t.Context(), s, "t", to, "new") })
	if part := (*PartError)(nil); !errors.As(err, &part) || err.Error() != "2 of 6 files and folders could not be copied" {
		t.Error(err)
	}
	if !strings.Contains(missing, `cannot copy "t/sub/b": `) || !strings.Contains(missing, `cannot copy "t/bad": `) {
		t.Error(missing)
	}
	if got := names(t, to) + ": " + names(t, to+"/new") + ": " + names(t, to+"/new/sub"); got != "new: a sub: c" {
		t.Error(got)
	}
}
