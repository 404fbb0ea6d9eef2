package job_test

import (
	"slices"
	"strings"
	"testing"
)

// lose destroys a snapshot, whoever holds it.
func (w *world) lose(snapshot string) {
	w.t.Helper()
	for _, hold := range w.holds() {
		if name, tag, _ := strings.Cut(hold, " "); name == snapshot {
			w.must("zfs", "release", tag, name)
		}
	}
	w.must("zfs", "destroy", snapshot)
}

// stopped begins a restore that makes nothing of a dataset whose name ends so.
func (w *world) stopped(end string, args ...string) {
	w.t.Helper()
	w.write("sim/faults", "on=receive match="+end+" fail message=cannot receive: out of luck\n")
	w.restored(1, args...)
	w.write("sim/faults", "")
}

// nested are four datasets and a volume's worth of copies at one snapshot.
func (w *world) nested() {
	w.t.Helper()
	for _, ds := range []string{"a/x", "a/x/a", "a/x/mid", "a/x/mid/low", "a/x/z"} {
		w.must("zfs", "create", ds)
		w.fill(ds, 1000)
	}
	w.snapshot("s1")
	w.done("local", "mirror")
}

// The newest snapshot is that of all copies, not of the first: a copy that has
// stopped long ago decides nothing, and is named.
func TestRestoreNewest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nested()
	w.snapshot("s2")
	w.done("local", "mirror")
	w.lose("b/mirror/x@s1")
	w.lose("b/mirror/x@s2")
	w.must("zfs", "set", "zreplctl:placeholder=on", "b/mirror/x")
	w.lose("b/mirror/x/a@s2")
	said := w.restored(1, "-n", "-r", "mirror", "a/x", "b/new")
	w.speaks(said, "full\tb/mirror/x/z@s2\t", `cannot restore "b/mirror/x/a": the copy has no snapshot @s2; its newest is @s1`)
	said = w.restored(1, "-r", "mirror", "a/x", "b/new")
	w.speaks(said, `"b/mirror/x/a": the copy has no snapshot @s2; its newest is @s1`, "zreplctl activate b/new/mid/low\n")
	w.equal("holds", w.restoring())
	w.snapshot("s3")
	w.must("zfs", "snapshot", "b/mirror/x/z@s4")
	w.speaks(w.restored(1, "-r", "mirror", "a/x", "b/new"), "has begun with @s2, and stays with it; the newest is @s4")
	w.speaks(w.restored(1, "-r", "mirror", "a/x/mid@s9", "b/mid"), "has no snapshot @s9; its newest is @s2")
}

// Where a copy in the middle is missing, what is below it is, too: nothing of it
// is held, and it is not said that a run could complete it.
func TestRestoreMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nested()
	w.lose("b/mirror/x/mid@s1")
	w.must("zfs", "set", "zrepl:placeholder=off", "b/mirror/x/mid") // which is no placeholder
	for _, args := range [][]string{{"-n", "-r"}, {"-r"}, {"-r"}} {
		said := w.restored(1, append(args, "mirror", "a/x", "b/new")...)
		w.speaks(said, `"b/mirror/x/mid": the copy has no snapshot @s1; it has none`, `"b/mirror/x/mid/low": the copy "b/mirror/x/mid" above has no snapshot @s1`)
		if strings.Contains(said, "same command") {
			t.Error(said)
		}
		if args[0] == "-r" {
			w.speaks(said, "zreplctl activate b/new/z\n")
		}
		w.equal("holds", w.restoring())
	}
	w.must("zfs", "create", "-o", "zrepl:placeholder=off", "b/used")
	w.restored(0, "mirror", "a/x/z", "b/used/z")
}

// What a restore has made or held and would not finish is named, whichever
// restore that was, and its holds stay.
func TestRestoreAstray(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nested()
	w.stopped("b/new/mid", "-r", "mirror", "a/x", "b/new")
	held := w.restoring()
	if len(held) == 0 {
		t.Fatal("nothing is held")
	}
	w.speaks(w.restored(1, "mirror", "a/x", "b/new"), `held is "b/mirror/x/`, "continue with -r", "-abandon mirror b/new")
	w.must("zfs", "rename", "b/mirror/x/mid", "b/elsewhere")
	for _, args := range [][]string{{"-n", "-r"}, {"-r"}} {
		w.speaks(w.restored(1, append(args, "mirror", "a/x", "b/new")...), `"b/elsewhere@s1"`, "rename it back")
	}
	w.must("zfs", "rename", "b/elsewhere", "b/mirror/x/mid")
	w.equal("holds", w.restoring(), held...)
	w.restored(0, "-r", "mirror", "a/x", "b/new")
	w.equal("holds", w.restoring())
	w.speaks(w.restored(1, "mirror", "a/x", "b/new"), `"b/new/a" was restored from "b/mirror/x/a@s1", which is no part`)
	w.must("zfs", "rename", "b/mirror/x/z", "b/elsewhere")
	w.speaks(w.restored(1, "-r", "mirror", "a/x", "b/new"), `"b/new/z" was restored from "b/mirror/x/z@s1", which is no part`)
}

// The tag of two restores to one target is the same, and neither takes the
// other's holds for its own.
func TestRestoreOneTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nested()
	w.stopped("b/new", "-r", "mirror", "a/x", "b/new")
	held := w.restoring()
	w.speaks(w.restored(1, "-r", "mirror", "a/x/mid", "b/new"), "another restore to this target is unfinished", "-abandon mirror b/new")
	w.equal("holds", w.restoring(), held...)
	w.restored(0, "-abandon", "mirror", "b/new")
	w.stopped("b/new", "-r", "mirror", "a/x/mid", "b/new")
	held = w.restoring()
	w.speaks(w.restored(1, "-r", "mirror", "a/x", "b/new"), "another restore to this target is unfinished", "-abandon mirror b/new")
	w.must("zfs", "snapshot", "b/mirror/x/mid@s2")
	w.must("zfs", "hold", "zreplctl_restore_mirror:b:new", "b/mirror/x/mid@s2")
	w.speaks(w.restored(1, "-r", "mirror", "a/x/mid", "b/new"), "more than one snapshot")
	w.must("zfs", "release", "zreplctl_restore_mirror:b:new", "b/mirror/x/mid@s2")
	w.equal("holds", w.restoring(), held...)
}

// All is held and possible, or nothing is made.
func TestRestoreWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(`
- {name: open, type: local, mapping: {"a/x<": b/enc/x}, snapshot_prefix: s, shared_prefix: true}
`)
	w.nested()
	w.encrypted("b/enc")
	w.done("local", "open")
	w.must("zfs", "unmount", "b/enc")
	w.must("zfs", "unload-key", "-r", "b/enc")
	before := w.everything()
	w.speaks(w.restored(1, "-n", "-r", "open", "a/x", "b/new"), "its key is not loaded", "zfs load-key b/enc\n")
	w.speaks(w.restored(1, "-r", "open", "a/x", "b/new"), "its key is not loaded", "zfs load-key b/enc\n")
	long := "b/" + strings.Repeat("n", 246) // with /mid it is a name, and with @s1 it is none
	for _, args := range [][]string{{"-n", "-r"}, {"-r"}} {
		w.speaks(w.restored(1, append(args, "mirror", "a/x/mid", long)...), "too long")
	}
	w.write("sim/faults", "on=hold from=2 fail message=cannot hold: out of luck\n")
	said := w.restored(1, "-r", "mirror", "a/x", "b/new")
	w.write("sim/faults", "")
	if w.speaks(said, "cannot hold"); strings.Contains(said, "same command") {
		t.Error(said)
	}
	if after := w.everything(); !slices.Equal(before, after) {
		t.Errorf("something was changed: %q, %q", before, after)
	}
	w.must("zpool", "export", "b")
	w.must("zpool", "import", "-o", "readonly=on", "-R", w.path("mnt"), "b")
	for _, args := range [][]string{{"-n", "-r"}, {"-r"}} {
		w.speaks(w.restored(1, append(args, "mirror", "a/x", "a/secret")...), `the pool "b" is imported read-only`)
	}
}

// A restore that nobody has finished for a month is named by check.
func TestRestoreForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nested()
	hold := func(at, target string) {
		t.Helper()
		c := w.command("zfs", "hold", "zreplctl_restore_mirror:b:"+target, "b/mirror/x/a@s1", "b/mirror/x@s1")
		c.Env = append(c.Environ(), "ZFS_SIM_NOW="+at)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	hold("1577836800", "old:new")
	w.stopped("b/new", "-r", "mirror", "a/x", "b/new")
	code, said := w.ctl("check")
	w.speaks(said, `job "mirror": a restore to "b/old/new" has held 2 snapshots for more than 30 days: finish it, or zreplctl restore -abandon mirror b/old/new releases what it holds`)
	if code != 0 || strings.Contains(said, "b/new\"") {
		t.Errorf("exit status %d: %s", code, said)
	}
}
