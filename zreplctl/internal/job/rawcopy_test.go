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

// A plain dataset below a raw copy, whose key the receiver does not have: the
// hint says what to set, and that solves it, for it alone.
func TestPlainBelowRaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.underKey("a/x")
	w.must("zfs", "create", "-o", "encryption=off", "a/x/plain")
	w.snapshot("s1")
	code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
	if code != 1 || !strings.Contains(said, "key-not-loaded: ") || !strings.Contains(said, "recv: {plain_encryption: off}") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), `mapping: {"a/x<": b/mirror/x}`, `mapping: {"a/x<": b/mirror/x}`+"\n  recv: {plain_encryption: off}"))
	w.release("b/mirror/x")
	w.must("zfs", "destroy", "-r", "b/mirror")
	w.snapshot("s2")
	w.done("local", "mirror")
	w.equal("encryption", w.lines("zfs", "get", "-H", "-r", "-t", "filesystem", "-o", "name,value", "encryption", "b/mirror"),
		"b/mirror\toff", "b/mirror/x\taes-256-gcm", "b/mirror/x/plain\toff")
}

// The sink's own configuration decides what a push may store without
// encryption, and the client plans by it.
func TestPlainBelowRawPushed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.underKey("a/x")
	w.must("zfs", "create", "-o", "encryption=off", "a/x/plain")
	w.snapshot("s1")
	push := []string{"push", "-skip", "snapshot,prune", "pushit"}
	if code, said := w.ctl(push...); code != 1 || !strings.Contains(said, "key-not-loaded: ") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), "root: b/sink/pusher\n", "root: b/sink/pusher\n  recv: {plain_encryption: off}\n"))
	if code, said := w.ctl("plan", "pushit"); code != 0 || !strings.Contains(said, "full\ta/x/plain\t") {
		t.Errorf("plan: exit status %d: %s", code, said)
	}
	w.done("push", "pushit")
	w.same("a/x", "b/sink/pusher/a/x")
	w.equal("encryption", w.lines("zfs", "get", "-H", "-o", "name,value", "encryption", "b/sink/pusher/a/x", "b/sink/pusher/a/x/plain"),
		"b/sink/pusher/a/x\taes-256-gcm", "b/sink/pusher/a/x/plain\toff")
}

// The same for placeholders below a locked dataset of the sink.
func TestPlainPlaceholderPushed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.underKey("a/x")
	w.underKey("b/enc")
	w.snapshot("s1")
	w.extend(`- {name: locked, type: push-sink, serve: {type: stdinserver, client_identity: locked}, root: b/enc/sink}
- {name: tolocked, type: push, datasets: {"a/x<": ok}, snapshot_prefix: s, shared_prefix: true, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, locked]}}
`)
	w.must("zfs", "unmount", "b/enc")
	w.must("zfs", "unload-key", "b/enc")
	if code, said := w.ctl("push", "-skip", "snapshot,prune", "tolocked"); code != 1 || !strings.Contains(said, "placeholder-encrypted: ") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), "root: b/enc/sink}", "root: b/enc/sink, recv: {placeholder_encryption: off}}"))
	w.done("push", "tolocked")
	w.same("a/x", "b/enc/sink/a/x")
}
