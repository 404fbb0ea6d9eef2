package job_test

import (
	"slices"
	"strings"
	"testing"
)

// TestAsideVolume: a volume that was activated, and which somebody may have open,
// stays; activate -r leaves alone what was set aside.
func TestAsideVolume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.asideJobs(asideAll)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "-V", "1M", "a/vol")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("local", "mirror")
	w.must("zreplctl", "activate", "b/mirror/vol")
	for _, ds := range []string{"a/vol", "a/x"} {
		w.release(ds)
		w.must("zfs", "destroy", "-r", ds)
	}
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "-V", "1M", "a/vol")
	w.must("zfs", "snapshot", "-r", "a@s2")
	code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
	if code != 1 || !strings.Contains(said, `"b/mirror/vol" is not inert: volmode is default; if nobody uses it: zreplctl activate -inert b/mirror/vol`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zfs", "list", "b/mirror/vol@s1")
	to := aside("b/mirror/x", "unrelated")
	said = w.must("zreplctl", "activate", "-r", "b/mirror")
	if !strings.Contains(said, `"`+to+`" was set aside`) {
		t.Errorf("%s", said)
	}
	w.shows(to, "readonly", "on local")
	w.shows(to, "canmount", "noauto local")
	w.shows("b/mirror/x", "readonly", "off default")
	w.must("zreplctl", "activate", to)
	w.shows(to, "readonly", "off default")
}

// TestAsideRoom: the room is for all new copies together.
func TestAsideRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.asideJobs(asideAll)
	for _, ds := range []string{"a/d1", "a/d2", "a/d3"} {
		w.must("zfs", "create", ds)
		w.fill(ds, 4<<20)
	}
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("local", "mirror")
	for _, ds := range []string{"a/d1", "a/d2", "a/d3"} {
		w.anew(ds)
		w.fill(ds, 4<<20)
	}
	w.must("zfs", "snapshot", "-r", "a@s2")
	w.must("zfs", "set", "quota=22M", "b/mirror")
	_, said := w.ctl("plan", "mirror")
	if strings.Count(said, "aside\t") != 2 || !strings.Contains(said, "a new copy has no room beside it and the other new ones") {
		t.Errorf("%s", said)
	}
	for range 2 {
		code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
		if code != 1 || !strings.Contains(said, "a new copy has no room beside it") {
			t.Errorf("exit status %d: %s", code, said)
		}
		w.must("zfs", "list", "b/mirror/d1@s2", "b/mirror/d2@s2", "b/mirror/d3@s1")
	}
}

// TestAsideRenamed: what a person renames is no longer set aside, and is not pruned
// either, since nothing was received there.
func TestAsideRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.asideJobs(asideAll)
	w.must("zfs", "create", "a/x")
	for _, s := range []string{"s0", "s1"} {
		w.must("zfs", "snapshot", "-r", "a@"+s)
		w.done("local", "mirror")
	}
	w.spoil("unrelated", "")
	w.must("zfs", "snapshot", "-r", "a@s4")
	w.done("local", "mirror")
	to := aside("b/mirror/x", "unrelated")
	had := w.lines("zfs", "list", "-rHo", "guid", "-t", "snapshot", to)
	w.must("zfs", "rename", to, "b/mirror/kept")
	w.must("zreplctl", "-config", w.path("c.yml"), "prune", "mirror")
	if now := w.lines("zfs", "list", "-rHo", "guid", "-t", "snapshot", "b/mirror/kept"); !slices.Equal(now, had) {
		t.Errorf("%q, and before %q", now, had)
	}
	if _, said := w.ctl("status", "mirror"); strings.Contains(said, "aside") {
		t.Errorf("%s", said)
	}
	w.release("b/mirror/x")
	w.must("zfs", "destroy", "-r", "b/mirror/x")
	w.must("zfs", "rename", "b/mirror/kept", "b/mirror/x") // a person undoes it
	code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
	if code != 1 || !strings.Contains(said, `no snapshot of "b/mirror/x" has the job's hold`) {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// TestAsideChain: on a host that also sends what it receives, what was set aside is
// not sent on, gets no snapshots, and is missed by nobody.
func TestAsideChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(`
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: mirror, type: local, mapping: {"a<": b/mirror}, snapshot_prefix: s, ` + asideAll + `}
- {name: on, type: local, mapping: {"b/mirror<": b/next}, snapshot_prefix: s, shared_prefix: true}
- {name: auto, type: autosnap, datasets: {"b/mirror<": ok}, snapshot_prefix: auto_, keep: [{type: last_n, count: 1}]}
`)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("local", "mirror")
	w.spoil("unrelated", "")
	w.done("local", "mirror")
	w.done("local", "on")
	w.must("zreplctl", "-config", w.path("c.yml"), "autosnap", "auto")
	to := aside("b/mirror/x", "unrelated")
	if got := w.lines("zfs", "list", "-rHo", "name", "-t", "snapshot", to); !slices.Equal(got, []string{to + "@s1"}) {
		t.Errorf("%q", got)
	}
	if strings.Contains(w.must("zfs", "list", "-rHo", "name", "b/next"), "unrelated") {
		t.Error("it was sent on")
	}
	if _, said := w.ctl("status", "-v", "on"); strings.Contains(said, "unrelated") {
		t.Errorf("%s", said)
	}
}
