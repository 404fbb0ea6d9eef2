package state

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

func read(t *testing.T, d Dir, name string) string {
	t.Helper()
	text, err := d.Read(name, 100)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// TestUpgrade: what an earlier version left in the run directory counts until
// the new place has something, and never again.
func TestUpgrade(t *testing.T) {
	run, kept := t.TempDir(), filepath.Join(t.TempDir(), "a", "state")
	d := Of(config.Global{RunDir: run, StateDir: kept})
	if err := os.WriteFile(filepath.Join(run, "j.json"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, "j.json"); got != "old" {
		t.Errorf("before: %q", got)
	}
	if err := d.Write("j.json", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, "j.json"); got != "new" {
		t.Errorf("after: %q", got)
	}
	os.RemoveAll(kept)
	if got := read(t, d, "j.json"); got != "" {
		t.Errorf("lost, and %q came back", got)
	}
	os.WriteFile(filepath.Join(run, "j.json"), []byte("old"), 0o600)
	if err := d.Remove("j.json"); err != nil || read(t, d, "j.json") != "" {
		t.Errorf("removed: %v, %q", err, read(t, d, "j.json"))
	}
}

// TestModes: nobody else can read the state, or the group can.
func TestModes(t *testing.T) {
	me, err := user.LookupGroupId(strconv.Itoa(os.Getegid()))
	if err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string][2]fs.FileMode{"": {0o700, 0o600}, me.Name: {0o750, 0o640}} {
		d := Dir{path: filepath.Join(t.TempDir(), "s"), group: group}
		if err := d.Write("f", nil); err != nil {
			t.Fatal(err)
		}
		for i, path := range []string{d.path, d.Path("f")} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want[i] {
				t.Errorf("group %q: %s has mode %v, want %v", group, path, info.Mode(), want[i])
			}
		}
	}
	d := Dir{path: t.TempDir(), group: "no-such-group"}
	if err := d.Write("f", []byte("kept")); err != nil || read(t, d, "f") != "kept" {
		t.Errorf("a group that does not exist: %v", err)
	}
	if info, err := os.Stat(d.Path("f")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("without its group it has mode %v", info.Mode())
	}
	if err := d.Shared(); err == nil || !strings.Contains(err.Error(), "no-such-group") {
		t.Errorf("a group that does not exist: %v", err)
	}
}

// TestBounded: a file that is too long, or no file, is not read.
func TestBounded(t *testing.T) {
	d := In(t.TempDir())
	d.Write("long", make([]byte, 101))
	os.Mkdir(d.Path("dir"), 0o700)
	for _, name := range []string{"long", "dir"} {
		if _, err := d.Read(name, 100); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// A directory is put on disk if it is there, and whoever relies on that is told
// if it is not.
func TestSync(t *testing.T) {
	d := In(filepath.Join(t.TempDir(), "state"))
	if err := d.Sync(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := d.Write("x", nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Sync(), Dir{}.Sync()); err != nil {
		t.Error(err)
	}
}

// TestOurs: a file that another could have written names no programs.
func TestOurs(t *testing.T) {
	d := In(filepath.Join(t.TempDir(), "s"))
	if err := d.Ours("f"); err == nil || d.Has("f") {
		t.Error("there is none")
	}
	if err := d.Write("f", nil); err != nil || d.Ours("f") != nil || !d.Has("f") {
		t.Error(err, d.Ours("f"))
	}
	if err := os.Chmod(d.Path("f"), 0o620); err != nil || d.Ours("f") == nil {
		t.Error("others can write it:", err)
	}
	if err := errors.Join(os.Remove(d.Path("f")), os.Symlink("g", d.Path("f")), os.WriteFile(d.Path("g"), nil, 0o600)); err != nil || d.Ours("f") == nil {
		t.Error("it leads elsewhere:", err)
	}
	if err := errors.Join(d.Write("h", nil), os.Chmod(d.Path(""), 0o777)); err != nil || d.Ours("h") == nil {
		t.Error("others can replace it:", err)
	}
}

// TestPrivate: what is private is so in a directory that the group can read.
func TestPrivate(t *testing.T) {
	me, err := user.LookupGroupId(strconv.Itoa(os.Getegid()))
	if err != nil {
		t.Fatal(err)
	}
	d := Dir{path: filepath.Join(t.TempDir(), "s"), group: me.Name}
	for _, name := range []string{"shared", "private", "private"} {
		in := d
		if name == "private" {
			in = d.Private()
		}
		if err := in.Write(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]fs.FileMode{"": 0o750, "shared": 0o640, "private": 0o600} {
		if info, err := os.Stat(d.Path(name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestUnusable: what the system says of the whole directory is an error of the
// directory, with the exit status that fits.
func TestUnusable(t *testing.T) {
	d := In("/x")
	for errno, status := range map[syscall.Errno]int{syscall.ENOSPC: 1, syscall.EDQUOT: 1, syscall.EROFS: 1, syscall.EIO: 1,
		syscall.EACCES: 2, syscall.ENOTDIR: 2, syscall.EISDIR: 0, syscall.ENOENT: 0} {
		err := d.unusable(&fs.PathError{Op: "open", Path: "/x/y", Err: errno})
		dir := (*DirError)(nil)
		if errors.As(err, &dir) != (status > 0) || dir != nil && (dir.ExitStatus() != status || dir.Hint() == "" || strings.Contains(dir.Error(), "/x/y")) {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if d.unusable(nil) != nil {
		t.Error("an error of nothing")
	}
}

// TestUpdateUnread: what cannot be read now is not replaced as if it had been
// empty; what no Write has made is.
func TestUpdateUnread(t *testing.T) {
	dir := In(t.TempDir())
	add := func(old []byte) ([]byte, error) { return append(old, 'x'), nil }
	if err := os.Symlink("note", dir.Path("note")); err != nil { // to itself
		t.Fatal(err)
	}
	if err := dir.Update("note", 10, add); err == nil {
		t.Error("no error")
	}
	if to, err := os.Readlink(dir.Path("note")); to != "note" {
		t.Error(to, err)
	}
	if err := os.WriteFile(dir.Path("long"), []byte("more than ten bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"long", "new"} {
		if err := dir.Update(name, 10, add); err != nil {
			t.Error(err)
		}
		if text, err := dir.Read(name, 10); string(text) != "x" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
