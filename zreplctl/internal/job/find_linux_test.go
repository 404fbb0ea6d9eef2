package job_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// mounts makes zfs-sim mount and umount for the programs of a world, too, with a shell's
// commands before each mount of the snapshot $snapshot.
func (w *world) mounts(shell string) {
	w.t.Helper()
	dir := w.t.TempDir()
	for _, name := range []string{"real-mount/mount", "umount"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(bin, "zfs"), path); err != nil {
			w.t.Fatal(err)
		}
	}
	script := "#!/bin/sh\nfor word; do case $word in *@*) snapshot=$word; esac; done\n" + shell + "\nexec " + dir + "/real-mount/mount \"$@\"\n"
	if err := simhost.WriteProgram(filepath.Join(dir, "mount"), script); err != nil {
		w.t.Fatal(err)
	}
	w.env = append(w.env, "PATH="+dir+":"+bin+":/usr/bin:/bin")
}

// What a hostile source names its files reaches no terminal as it is, and a snapshot
// that is destroyed while others are looked into is left out.
func TestFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mounts("")
	w.must("zfs", "create", "a/x")
	name := "evil\x1b[2J\nname"
	dir := strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", "a/x"))
	if err := os.Symlink("to\x1b[2J", filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	w.snapshot("s1")
	w.snapshot("s2")
	w.done("local", "mirror")
	code, said := w.ctl("find", "-dataset", "a/x", "mirror", name)
	if code != 0 || strings.Contains(said, "\x1b") || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "b/mirror/x@") {
		t.Errorf("%d: %q", code, said)
	}
	code, said = w.ctl("find", "-dataset", "a/x", "mirror", name+"/deeper")
	if code != 1 || strings.Contains(said, "\x1b") || !strings.Contains(said, "is a symbolic link to") {
		t.Errorf("%d: %q", code, said)
	}
	code, said = w.ctl("restore", "-file", name, "mirror", "a/x", w.dir)
	if link, err := os.Readlink(filepath.Join(w.dir, name)); code != 0 || strings.Contains(said, "\x1b") || link != "to\x1b[2J" {
		t.Errorf("%d: %q, %q, %v", code, said, link, err)
	}
	for _, args := range [][]string{{"find", "mirror"}, {"restore", "-file", "x", "mirror"}, {"restore", "-file", "x", "mirror", "nonsense@", "t"},
		{"restore", "-setuid", "mirror", "a/x", "b/t"}, {"restore", "-file", "x", "-abandon", "mirror", "b/t"}} {
		if code, said := w.ctl(args...); code != 2 {
			t.Errorf("%q: %d, %s", args, code, said)
		}
	}
	if left, _ := os.ReadDir(w.path("run/find")); len(left) != 1 { // the lock
		t.Error("left:", left)
	}
}

// A snapshot that cannot be mounted does not keep from the others, and one that is
// destroyed meanwhile is none of them.
func TestFindInPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mounts("case $snapshot in *@s2) echo it is broken >&2; exit 1;; *@s3) zfs destroy $snapshot; exit 1;; esac")
	w.must("zfs", "create", "a/x")
	dir := strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", "a/x"))
	for _, short := range []string{"s1", "s2", "s3", "s4"} {
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte(short+strings.Repeat("x", len(short))), 0o600); err != nil {
			t.Fatal(err)
		}
		w.must("zfs", "snapshot", "a/x@"+short)
	}
	w.must("zfs", "unmount", "a/x")
	code, said := w.ctl("find", "offer", "a/x/file")
	if code != 1 || !strings.Contains(said, "1 of 4 snapshots cannot be looked into") || !strings.Contains(said, "it is broken") ||
		!strings.Contains(said, "a/x@s4\t") || !strings.Contains(said, "a/x@s1\t") || strings.Contains(said, "s3") {
		t.Errorf("%d: %s", code, said)
	}
	w.must("zfs", "destroy", "a/x@s4") // then the newest is one that cannot be mounted
	if code, said = w.ctl("find", "offer", "a/x/file"); code != 1 || !strings.Contains(said, "it is broken") || !strings.Contains(said, "a/x@s1\t") {
		t.Errorf("%d: %s", code, said)
	}
	code, said = w.ctl("restore", "-file", "a/x/file", "offer", w.path("got")) // an older one is not taken for it
	if code != 1 || !strings.Contains(said, "it is broken") || !strings.Contains(said, "name another one") {
		t.Errorf("%d: %s", code, said)
	}
	if left, _ := os.ReadDir(w.path("run/find")); len(left) != 1 { // the lock
		t.Error("left:", left)
	}
}

// A dataset that is renamed while its snapshots are looked into is no history that ends.
func TestFindRenamedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mounts("case $snapshot in a/x@s2) zfs rename a/x a/y; exit 1; esac")
	w.must("zfs", "create", "a/x")
	dir := strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", "a/x"))
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, short := range []string{"s1", "s2", "s3"} {
		w.must("zfs", "snapshot", "a/x@"+short)
	}
	w.must("zfs", "unmount", "a/x")
	for _, args := range [][]string{{"find", "offer", "a/x/file"}, {"restore", "-file", "a/x/file", "offer", "@s2", w.path("got")}} {
		code, said := w.ctl(args...)
		if code != 1 || !strings.Contains(said, "was renamed or destroyed meanwhile") || strings.Contains(said, "first") {
			t.Errorf("%q: %d: %s", args, code, said)
		}
		w.must("zfs", "rename", "a/y", "a/x")
	}
}

// Of two filesystems that say they are mounted at one place, and of one that only hands
// its mountpoint down, none is taken for the one that was meant.
func TestFindTakesTheRightOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mounts("")
	at := func(ds string) string {
		return strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", ds))
	}
	for _, ds := range []string{"a/root", "a/one", "a/two"} {
		w.must("zfs", "create", ds)
		if err := os.WriteFile(filepath.Join(at(ds), "file"), []byte(ds), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(at("a/root"), "usr/bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.must("zfs", "create", "-o", "canmount=off", "-o", "mountpoint=/a/root/usr", "a/usr")
	w.must("zfs", "create", "-o", "canmount=noauto", "-o", "mountpoint=/a/root", "a/old")
	w.must("zfs", "snapshot", "-r", "a@s1")
	if code, said := w.ctl("find", "offer", at("a/root")+"/usr/bin"); code != 0 || !strings.Contains(said, "a/root@s1\t") || !strings.Contains(said, "looks in a/root for ") {
		t.Errorf("%d: %s", code, said)
	}
	if code, said := w.ctl("find", "offer", at("a/one")+"/../two//file"); code != 0 || !strings.Contains(said, "a/two@s1\t") {
		t.Errorf("%d: %s", code, said)
	}
	if code, said := w.ctl("find", "offer", "a/one/../two/file"); code != 1 || !strings.Contains(said, "does not begin with /") {
		t.Errorf("%d: %s", code, said)
	}
	place := at("a/one")
	w.must("zfs", "set", "mountpoint=/a/one", "a/two")
	got := w.path("got")
	if code, said := w.ctl("restore", "-file", "file", "offer", "a/one@s1", got); code != 0 {
		t.Errorf("%d: %s", code, said)
	}
	if text, err := os.ReadFile(got); err != nil || string(text) != "a/one" {
		t.Errorf("%q, %v", text, err)
	}
	if code, said := w.ctl("find", "offer", place+"/file"); code != 1 || !strings.Contains(said, " can be in ") {
		t.Errorf("%d: %s", code, said)
	}
}
