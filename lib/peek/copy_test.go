package peek

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("PEEK_KILLED_COPY"); dir != "" {
		killedCopy(dir)
	}
	os.Exit(m.Run())
}

var old = time.Unix(1700000000, 123456789)

// copied copies to a new name in a new folder, and returns its path and the notes.
func copied(t *testing.T, c *Copier, s *Snapshot, path string) (to, notes string, err error) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "new")
	c.Note = func(text string) { notes += text + "\n" }
	c.Missing = c.Note
	err = c.Copy(t.Context(), s, path, filepath.Dir(to), "new")
	return to, notes, err
}

// names are all that a folder has, hidden names, too.
func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestCopyFile(t *testing.T) {
	s, dir := snapshot(t)
	text := strings.Repeat("0123456789abcdef", 200_000)
	write(t, dir+"/a/file", text)
	must(t, syscall.Chmod(dir+"/a/file", 0o6751))
	must(t, os.Chtimes(dir+"/a/file", old, old))
	wrote := 0
	to, notes, err := copied(t, &Copier{Wrote: func(n int) { wrote += n }}, s, "a/file")
	must(t, err)
	got, err := os.ReadFile(to)
	must(t, err)
	if !bytes.Equal(got, []byte(text)) || wrote != len(text) {
		t.Error("other contents", wrote)
	}
	info, err := os.Stat(to)
	must(t, err)
	if info.Mode() != 0o751 || !info.ModTime().Equal(old) || !strings.Contains(notes, `dropped the setuid and setgid bits of "a/file"`) {
		t.Error(info.Mode(), info.ModTime(), notes)
	}
	if got := names(t, filepath.Dir(to)); got != "new" {
		t.Error(got)
	}
	to, notes, err = copied(t, &Copier{Setuid: true}, s, "a/file")
	must(t, err)
	if info, err := os.Stat(to); err != nil || info.Mode() != 0o751|fs.ModeSetuid|fs.ModeSetgid || notes != "" {
		t.Error(info.Mode(), err, notes)
	}
}

func TestCopyHoles(t *testing.T) {
	s, dir := snapshot(t)
	f, err := os.Create(dir + "/file")
	must(t, err)
	for _, at := range []int64{0, 5 << 20, 63 << 20} {
		_, err := f.WriteAt([]byte("data"), at)
		must(t, err)
	}
	must(t, f.Truncate(64<<20))
	must(t, f.Close())
	wrote := 0
	to, _, err := copied(t, &Copier{Wrote: func(n int) { wrote += n }}, s, "file")
	must(t, err)
	a, err := os.ReadFile(dir + "/file")
	must(t, err)
	b, err := os.ReadFile(to)
	must(t, err)
	if !bytes.Equal(a, b) || wrote > 8<<20 {
		t.Error("bytes written:", wrote)
	}
}

func TestCopyTree(t *testing.T) {
	s, dir := snapshot(t)
	write(t, dir+"/t/a/file", "text")
	write(t, dir+"/t/.zfs", "a file of that name")
	must(t, os.Symlink("/etc/passwd", dir+"/t/a/link"))
	must(t, os.Mkdir(dir+"/t/empty", 0o700))
	must(t, unix.Mkfifo(dir+"/t/a/pipe", 0o600))
	must(t, os.Chtimes(dir+"/t/a", old, old))
	must(t, syscall.Chmod(dir+"/t/a", 0o500))
	if _, _, err := copied(t, &Copier{}, s, "t"); !errors.Is(err, errFolder) {
		t.Error(err)
	}
	to, notes, err := copied(t, &Copier{Recursive: true}, s, "t")
	must(t, err)
	if got := names(t, to) + ": " + names(t, to+"/a"); got != ".zfs a empty: file link" {
		t.Error(got)
	}
	link, err := os.Readlink(to + "/a/link")
	if link != "/etc/passwd" || err != nil || !strings.Contains(notes, `left out "t/a/pipe"`) {
		t.Error(link, err, notes)
	}
	if info, err := os.Stat(to + "/a"); err != nil || info.Mode().Perm() != 0o500 || !info.ModTime().Equal(old) {
		t.Error(info, err)
	}
	if to, _, err = copied(t, &Copier{Recursive: true}, s, "."); err != nil || names(t, to) != "t" {
		t.Error(err, names(t, to))
	}
}

func TestCopyOddThings(t *testing.T) {
	s, dir := snapshot(t)
	must(t, os.Symlink("/etc/passwd", dir+"/link"))
	must(t, unix.Mkfifo(dir+"/pipe", 0o600))
	deep := dir + "/deep"
	for range maxDepth + 3 {
		must(t, os.Mkdir(deep, 0o700))
		deep += "/d"
	}
	to, _, err := copied(t, &Copier{}, s, "link")
	must(t, err)
	if link, err := os.Readlink(to); link != "/etc/passwd" || err != nil {
		t.Error(link, err)
	}
	to, missing, err := copied(t, &Copier{Recursive: true}, s, "deep")
	if part := (*PartError)(nil); !errors.As(err, &part) || part.Missing != 1 || !strings.Contains(missing, "in one another") {
		t.Error(err, missing)
	}
	if _, err := os.Lstat(to + strings.Repeat("/d", maxDepth)); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{"pipe": "neither a file", "none": "no such file", "link/x": "symbolic link"} {
		to, _, err := copied(t, &Copier{Recursive: true}, s, path)
		if err == nil || !strings.Contains(err.Error(), want) || names(t, filepath.Dir(to)) != "" {
			t.Errorf("%q: %v, %q", path, err, names(t, filepath.Dir(to)))
		}
	}
}

// Whatever has the name, also since the copy began, stays.
func TestCopyOverwritesNothing(t *testing.T) {
	s, dir := snapshot(t)
	write(t, dir+"/file", "new")
	write(t, dir+"/folder/file", "new")
	makers := map[string]func(path string) error{
		"file":   func(path string) error { return os.WriteFile(path, []byte("old"), 0o600) },
		"link":   func(path string) error { return os.Symlink("nowhere", path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
	}
	for what, make := range makers {
		for _, from := range []string{"file", "folder"} {
			for _, late := range []bool{false, true} {
				to := t.TempDir()
				c := &Copier{Recursive: true}
				if late {
					c.Wrote = func(int) { must(t, make(to+"/x")) }
				} else {
					must(t, make(to+"/x"))
				}
				err := c.Copy(t.Context(), s, from, to, "x")
				if !errors.Is(err, ErrThere) || names(t, to) != "x" {
					t.Errorf("%s over %s, late %v: %v, %q", from, what, late, err, names(t, to))
				}
			}
		}
	}
}

func TestRenameByLink(t *testing.T) {
	dir := t.TempDir()
	at, err := os.OpenRoot(dir)
	must(t, err)
	defer at.Close()
	write(t, dir+"/there", "old")
	must(t, os.Mkdir(dir+"/empty", 0o700))
	for what, make := range map[string]func(path string) error{
		"file":   func(path string) error { return os.WriteFile(path, []byte("new"), 0o600) },
		"link":   func(path string) error { return os.Symlink("/nowhere", path) },
		"folder": func(path string) error { return os.MkdirAll(path+"/x", 0o700) },
	} {
		s, err := newStage(at)
		must(t, err)
		must(t, make(filepath.Join(dir, s.name, inStage)))
		from, err := s.at.Open(".")
		must(t, err)
		to, err := at.Open(".")
		must(t, err)
		rename := func(base string) error { return s.renameByLink(int(from.Fd()), int(to.Fd()), base) }
		for _, taken := range []string{"there", "empty"} {
			if err := rename(taken); !errors.Is(err, ErrThere) {
				t.Error(what, taken, err)
			}
		}
		must(t, rename(what))
		if err := rename("again"); err == nil {
			t.Error(what, "is still in the stage")
		}
		must(t, errors.Join(from.Close(), to.Close(), s.close()))
	}
	if got := names(t, dir); got != "empty file folder link there" {
		t.Error(got)
	}
}

func TestTarget(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/there", "")
	must(t, os.Mkdir(dir+"/folder", 0o700))
	must(t, os.Symlink("folder", dir+"/link"))
	for target, want := range map[string]string{"new": dir + " new", "folder": dir + "/folder x", "folder/": dir + "/folder x", "link/": dir + "/link x",
		"there": "", "link": "", "there/": "", "none/": "", "none/x": dir + "/none x"} {
		at, base, err := Target(dir+"/"+target, "a/x")
		if got := strings.TrimSpace(at + " " + base); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", target, got, err)
		}
	}
	for _, target := range []string{"", "/", "..", "."} {
		if at, base, err := Target(target, "/"); err == nil {
			t.Errorf("%q: %q %q", target, at, base)
		}
	}
}

// A link of another user on the way could lead a file to where it does harm.
func TestOpenFolder(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/a/b", 0o755))
	for name, to := range map[string]string{"abs": dir + "/a", "rel": "a/b", "up": "a/../a/b/..", "loop": "loop", "chain": "rel/../b", "none": "nowhere"} {
		must(t, os.Symlink(to, dir+"/"+name))
	}
	write(t, dir+"/a/b/here", "")
	write(t, dir+"/a/top", "")
	for path, want := range map[string]string{"a/b": "here", "abs/b": "here", "rel": "here", "up": "top", "chain": "here", "a/b/../../rel": "here",
		"loop": "", "none": "", "a/top": "", "rel/here": ""} {
		at, err := openFolder(dir + "/" + path)
		if (err == nil) != (want != "") {
			t.Errorf("%q: %v", path, err)
		}
		if err == nil {
			if _, err := at.Lstat(want); err != nil {
				t.Errorf("%q: %v", path, err)
			}
			at.Close()
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("only root makes links of others")
	}
	must(t, os.Lchown(dir+"/rel", 12345, 12345))
	for _, path := range []string{"rel", "chain"} {
		if _, err := openFolder(dir + "/" + path); err == nil || !strings.Contains(err.Error(), "of another user") {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestCopyCancelled(t *testing.T) {
	s, dir := snapshot(t)
	write(t, dir+"/file", strings.Repeat("x", 3<<20))
	ctx, cancel := context.WithCancel(t.Context())
	to := t.TempDir()
	c := &Copier{Wrote: func(int) { cancel() }}
	if err := c.Copy(ctx, s, "file", to, "x"); !errors.Is(err, context.Canceled) || names(t, to) != "" {
		t.Error(err, names(t, to))
	}
}

// A kill leaves nothing but a name that says what it is.
func TestCopyKilled(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/to", 0o700))
	write(t, dir+"/.zfs/snapshot/s/file", strings.Repeat("x", 3<<20))
	self := exec.Command(os.Args[0])
	self.Env = append(os.Environ(), "PEEK_KILLED_COPY="+dir)
	self.Run()
	if got := names(t, dir+"/to"); !strings.HasPrefix(got, Unfinished) || strings.Contains(got, " ") {
		t.Error(got)
	}
}

func killedCopy(dir string) {
	root, err := os.OpenRoot(dir + "/.zfs/snapshot/s")
	if err == nil {
		s := &Snapshot{root: root}
		c := &Copier{Wrote: func(int) { syscall.Kill(os.Getpid(), syscall.SIGKILL) }}
		c.Copy(context.Background(), s, "file", dir+"/to", "x")
	}
	os.Exit(1)
}
