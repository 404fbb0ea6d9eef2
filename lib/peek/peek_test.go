package peek

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// snapshot makes folders that look like a mounted filesystem with one snapshot, and
// opens that.
func snapshot(t *testing.T) (s *Snapshot, dir string) {
	t.Helper()
	mountpoint := t.TempDir()
	dir = filepath.Join(mountpoint, ".zfs", "snapshot", "s")
	must(t, os.MkdirAll(dir, 0o755))
	root, err := os.OpenRoot(dir)
	must(t, err)
	s = &Snapshot{root: root}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func TestPath(t *testing.T) {
	for name, want := range map[string]string{
		"a": "a", "/a/b": "a/b", "a//b/": "a/b", "": ".", "/": ".", "../../etc": "etc", "a/../../b": "b", "..": ".", "a/./b": "a/b",
	} {
		if got, err := Path(name); got != want || err != nil {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{".zfs", "/.zfs/snapshot/x", "a/../.zfs/x", "a\x00b"} {
		if got, err := Path(name); err == nil {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestLook(t *testing.T) {
	s, dir := snapshot(t)
	write(t, dir+"/a/b/file", "12345")
	write(t, filepath.Dir(dir)+"/outside", "outside")
	must(t, os.Symlink("a/b", dir+"/inner"))
	must(t, os.Symlink("../outside", dir+"/outer"))
	must(t, os.Symlink("/", dir+"/root"))
	must(t, unix.Mkfifo(dir+"/pipe", 0o600))
	for path, want := range map[string]Kind{".": Folder, "a": Folder, "a/b/file": File, "inner": Link, "outer": Link, "pipe": Special,
		"none": "", "a/none/x": "", "a/b/file/x": "", "pipe/x": "", "a/b/c": ""} {
		info, err := s.Look(path)
		if got := kindOf(info); got != want || err != nil {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"inner/file", "root/etc/passwd", "outer/x"} {
		info, err := s.Look(path)
		if link := (*LinkError)(nil); info != nil || !errors.As(err, &link) {
			t.Errorf("%q: %v, %v", path, info, err)
		}
	}
}

func kindOf(info *Info) Kind {
	if info == nil {
		return ""
	}
	return info.Kind
}

// Whoever swaps a folder, or a file, for a link that leads out while it is read gets
// nothing read from there.
func TestSwaps(t *testing.T) {
	s, dir := snapshot(t)
	out := t.TempDir()
	write(t, out+"/file", "outside")
	write(t, dir+"/d/file", "inside")
	write(t, dir+"/e/file", "inside")
	must(t, os.Symlink(out, dir+"/e-other"))
	must(t, os.Symlink(out+"/file", dir+"/d/file-other"))
	must(t, unix.Mkfifo(dir+"/pipe", 0o600))
	write(t, dir+"/p", "inside")
	done, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
			}
			for _, pair := range [][2]string{{"e", "e-other"}, {"d/file", "d/file-other"}, {"p", "pipe"}} {
				exchange(dir+"/"+pair[0], dir+"/"+pair[1])
			}
		}
	}()
	read := 0
	for range 3000 {
		for _, path := range []string{"d/file", "e/file", "p"} {
			f, err := s.open(path)
			if err != nil {
				continue
			}
			text := make([]byte, 20)
			n, _ := f.Read(text)
			f.Close()
			if string(text[:n]) != "inside" {
				t.Fatalf("%q: %q", path, text[:n])
			}
			read++
		}
	}
	close(done)
	<-ended
	if read == 0 {
		t.Error("nothing was read")
	}
}

// exchange swaps two names by one that is free.
func exchange(a, b string) {
	os.Rename(a, a+"-free")
	os.Rename(b, a)
	os.Rename(a+"-free", b)
}

func TestSame(t *testing.T) {
	a, dirA := snapshot(t)
	b, dirB := snapshot(t)
	at := time.Unix(1700000000, 123456789)
	both := func(name, textA, textB string, timeB time.Time) {
		write(t, dirA+"/"+name, textA)
		write(t, dirB+"/"+name, textB)
		must(t, os.Chtimes(dirA+"/"+name, at, at))
		must(t, os.Chtimes(dirB+"/"+name, timeB, timeB))
	}
	both("same", "text", "text", at)
	both("time", "text", "text", at.Add(1))
	both("size", "text", "texts", at)
	both("contents", "text", "test", at)
	write(t, dirA+"/only", "")
	must(t, os.Symlink("x", dirA+"/link"))
	must(t, os.Symlink("y", dirB+"/link"))
	for name, want := range map[string]bool{"same": true, "time": false, "size": false, "contents": false, "only": false, "link": false, "none": true} {
		ia, err := a.Look(name)
		must(t, err)
		ib, err := b.Look(name)
		must(t, err)
		if got, err := Same(context.Background(), a, b, name, ia, ib, nil); got != want || err != nil {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
}

// A hole takes no time, whatever its size, and what is after it counts.
func TestSameHoles(t *testing.T) {
	a, dirA := snapshot(t)
	b, dirB := snapshot(t)
	at := time.Unix(1700000000, 0)
	const huge = 4 << 40
	for name, texts := range map[string][2]string{"same": {"x", "x"}, "other": {"x", "y"}, "zero": {"\x00", ""}, "data": {"", "x"}} {
		for i, dir := range []string{dirA, dirB} {
			f, err := os.Create(dir + "/" + name)
			must(t, err)
			must(t, f.Truncate(huge))
			if texts[i] != "" {
				_, err = f.WriteAt([]byte(texts[i]), huge/2)
				must(t, err)
			}
			must(t, f.Close())
			must(t, os.Chtimes(dir+"/"+name, at, at))
		}
		ia, err := a.Look(name)
		must(t, err)
		ib, err := b.Look(name)
		must(t, err)
		read := 0
		got, err := Same(t.Context(), a, b, name, ia, ib, func(int64) { read++ })
		if want := name == "same" || name == "zero"; got != want || err != nil || read > 1000 {
			t.Errorf("%q: %v, %v, %d reads", name, got, err, read)
		}
	}
}

// program writes a shell script into a folder that is first in PATH.
func program(t *testing.T, name, text string) {
	t.Helper()
	dir := t.TempDir()
	must(t, simhost.WriteProgram(filepath.Join(dir, name), "#!/bin/sh\n"+text+"\n"))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestMounter(t *testing.T) {
	dir := t.TempDir()
	program(t, "mount", `for at; do :; done; echo "$*" >"$at/said"`) // it stays, as without mounts of one's own
	program(t, "umount", `rm -f "$1/said"`)
	m, left, err := NewMounter(dir)
	must(t, err)
	s, err := m.Open(context.Background(), "tank/a@b")
	must(t, err)
	if info, err := s.Look("said"); kindOf(info) != File || err != nil {
		t.Error(info, err)
	}
	other, left2, err := NewMounter(dir) // does not touch what a living one has
	must(t, err)
	if len(left)+len(left2) != 0 || s.at == "" {
		t.Errorf("%q, %q, %q", left, left2, s.at)
	}
	must(t, other.Close())
	if _, err := os.Lstat(s.at + "/said"); err != nil {
		t.Error(err)
	}
	m.lock.Close() // as a kill does
	s.root.Close()
	m, left, err = NewMounter(dir)
	must(t, err)
	if len(left) != 1 {
		t.Errorf("left: %q", left)
	}
	must(t, m.Close())
	if got := names(t, dir); got != allLock {
		t.Error(got)
	}
}

// Who comes while another goes neither fails nor takes that one's folder for a killed one's.
func TestMountersBeside(t *testing.T) {
	dir := t.TempDir()
	done := make(chan error)
	for range 4 {
		go func() {
			for range 200 {
				m, left, err := NewMounter(dir)
				if err == nil && len(left) > 0 {
					err = fmt.Errorf("left: %q", left)
				}
				if err == nil {
					err = m.Close()
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := names(t, dir); got != allLock {
		t.Error(got)
	}
}

func TestMountFails(t *testing.T) {
	dir := t.TempDir()
	program(t, "mount", "echo 'only root can do that' >&2; exit 1")
	m, _, err := NewMounter(dir)
	must(t, err)
	if _, err := m.Open(context.Background(), "tank/a@b"); err == nil || err.Error() != "mount: only root can do that" {
		t.Error(err)
	}
	must(t, m.Close())
}

// An end that is asked for does not wait for a mount that hangs, or for its helper.
func TestMountCancelled(t *testing.T) {
	dir := t.TempDir()
	program(t, "mount", `for at; do :; done; sleep 300 & echo $! >"$at/begun"; wait`)
	program(t, "umount", `kill "$(cat "$1/begun")"; rm "$1/begun"`)
	m, _, err := NewMounter(dir)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if begun, _ := filepath.Glob(m.own + "/at-*/begun"); len(begun) > 0 {
				cancel()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if _, err := m.Open(ctx, "tank/a@b"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	must(t, m.Close())
	if got := names(t, dir); got != allLock {
		t.Error(got)
	}
}

func TestNextDataTellsOfHoles(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(8<<20))
	_, err = f.WriteAt([]byte("x"), 4<<20)
	must(t, err)
	from, to := nextData(f, 0, 8<<20)
	if from > 4<<20 || to <= 4<<20 {
		t.Errorf("%d to %d", from, to)
	}
	if from, to := nextData(f, 8<<20, 8<<20); from != to {
		t.Errorf("after the end: %d to %d", from, to)
	}
}
