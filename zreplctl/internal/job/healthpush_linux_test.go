package job_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestHealthPush: the table of lies for a push job and its sink.
func TestHealthPush(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.configure(pushEnds)
	both := func(what, send string, level int, take string, takeLevel int) {
		t.Helper()
		w.says(what, "send", send, level, "")
		w.says(what, "take", take, takeLevel, "")
	}
	both("before anything", "never", 2, "never", 2)
	w.taken(months, "s1")
	w.done("push", "send")
	both("no new snapshots for 5 months", "late", 2, "late", 2)
	w.taken(0, "s2")
	both("nobody pushes", "late", 2, "late", 2)
	os.RemoveAll(w.path("run"))
	os.RemoveAll(w.path("state"))
	both("the same, rundir and statedir lost", "late", 2, "late", 2)
	w.done("push", "send")
	both("well", "ok", 0, "ok", 0)
	os.RemoveAll(w.path("state"))
	both("well, statedir lost", "late", 3, "ok", 0)
	w.done("push", "send")
	both("well again", "ok", 0, "ok", 0)
	w.configure(strings.ReplaceAll(pushEnds, "serve, pusher]", "no-subcommand]"))
	w.tried("push", "send")
	both("connection fails", "failed", 1, "ok", 0)
	w.configure(strings.ReplaceAll(pushEnds, "snapshot_prefix: s", "snapshot_prefix: other_"))
	w.tried("push", "send")
	both("prefixes that differ", "not-offered", 1, "ok", 0)
	w.configure(pushEnds)
	w.done("push", "send")
	w.configure(strings.ReplaceAll(pushEnds, `{"a/x<": ok}`, `{"a/x<": ok, "a/x/y": "!"}`))
	both("excluded on the source", "not-offered", 2, "ok", 0)
	w.tried("push", "send")
	both("excluded on the source, and tried", "not-offered", 2, "ok", 0)
	w.configure(pushEnds)
	w.done("push", "send")
	w.must("zfs", "destroy", "-r", "a/x/y") // a bookmark keeps its place since it was excluded
	w.tried("push", "send")
	w.says("destroyed on the source", "send", "not-offered", 2, "a/x/y")
	w.must("zpool", "export", "a")
	w.says("source pool not imported", "send", "failed", 2, "its pool is not imported")
	w.must("zpool", "import", "-d", w.dir, "a")
	w.must("zpool", "export", "b")
	w.says("target pool not imported", "take", "failed", 2, "its pool is not imported")
	w.must("zpool", "import", "-d", w.dir, "b")
	if code, said := w.ctl("forget", "send", "b/sink/a/x/y"); code != 0 {
		t.Fatal(said)
	}
	w.done("push", "send")
	// A client could hide its copies so: on the sink, the sink's admin says it.
	both("forgotten by the client", "ok", 0, "not-offered", 1)
	if code, said := w.ctl("forget", "take", "b/sink/a/x/y"); code != 0 {
		t.Fatal(said)
	}
	both("forgotten", "ok", 0, "ok", 0)
	w.must("zfs", "set", "readonly=off", "b/sink/a/x")
	w.must("zfs", "set", "mountpoint=/bx", "b/sink/a/x")
	w.must("zfs", "mount", "b/sink/a/x")
	w.fill("b/sink/a/x", 1<<20)
	w.must("zfs", "unmount", "b/sink/a/x")
	w.taken(0, "s21")
	w.tried("push", "send")
	both("target modified", "failed", 1, "ok", 0)
	w.must("zfs", "rollback", "b/sink/a/x@s2")
	w.taken(-24*time.Hour, "s3")
	w.done("push", "send")
	w.says("this clock a day behind", "send", "late", 1, "in the future: a clock is wrong")
	w.says("this clock a day behind", "take", "late", 1, "in the future: a clock is wrong")
}
