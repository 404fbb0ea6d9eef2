package job_test

import (
	"strings"
	"testing"
)

func (w *world) underKey(ds string) {
	w.write("key", strings.Repeat("k", 32))
	w.must("zfs", "create", "-o", "encryption=on", "-o", "keyformat=raw", "-o", "keylocation=file://"+w.path("key"), ds)
}

// A raw copy with a foreign snapshot can take no raw stream: that is said
// before, with the snapshot's name.
func TestRawOntoForeign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.underKey("a/x")
	w.must("zfs", "create", "a/x/y")
	w.snapshot("s1")
	w.done("local", "mirror")
	w.must("zfs", "snapshot", "b/mirror/x@autosnap")
	w.fill("a/x", 3000)
	w.snapshot("s2")
	code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
	if code != 1 || !strings.Contains(said, `"b/mirror/x": diverged: `) || !strings.Contains(said, "@autosnap") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.same("a/x/y", "b/mirror/x/y")
	w.must("zfs", "destroy", "b/mirror/x@autosnap")
	w.done("local", "mirror")
	w.same("a/x", "b/mirror/x")
}

// A raw copy that was put under the key of another dataset takes no raw
// stream, which would make it unreadable.
func TestKeyChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.underKey("a/x")
	w.must("zfs", "create", "a/x/y")
	w.snapshot("s1")
	w.must("zfs", "create", "-o", "encryption=on", "-o", "keyformat=raw", "-o", "keylocation=file://"+w.path("key"), "b/mirror")
	w.done("local", "mirror")
	w.snapshot("s2")
	w.done("local", "mirror")
	w.must("zfs", "load-key", "-L", "file://"+w.path("key"), "b/mirror/x")
	w.must("zfs", "change-key", "-i", "b/mirror/x")
	w.snapshot("s3")
	code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
	if code != 1 || !strings.Contains(said, `"b/mirror/x": key-changed: `) || !strings.Contains(said, "zfs change-key -o") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.same("a/x/y", "b/mirror/x/y")
	w.must("zfs", "change-key", "-o", "keyformat=raw", "-o", "keylocation=file://"+w.path("key"), "b/mirror/x")
	w.done("local", "mirror")
	w.same("a/x", "b/mirror/x")
}
