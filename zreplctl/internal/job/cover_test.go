package job_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// What was covered once and is not any more is a failure by name, in each run
// and in each plan, until a person says otherwise.
func TestNotCovered(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason string
		change func(w *world)
		forget bool
	}{
		{"excluded", "not-offered", func(w *world) {
			w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), `"a/secret<": "!"`, `"a/secret<": "!", "a/z": "!"`))
		}, true},
		{"not mapped", "not-offered", func(w *world) {
			w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), `mapping: {"a<": b/back/a}`, `mapping: {"a<": b/back/a, "a/z": "!"}`))
		}, true},
		{"destroyed", "not-offered", func(w *world) { w.release("a/z"); w.must("zfs", "destroy", "-r", "a/z") }, true},
		{"renamed away", "not-offered", func(w *world) { w.must("zfs", "rename", "a/z", "a/secret/z") }, true},
		{"destroyed long ago", "not-offered", func(w *world) {
			w.release("a/z")
			w.must("zfs", "destroy", "-r", "a/z")
			for i := range 12 {
				w.must("zfs", "snapshot", fmt.Sprintf("b/back/a/z@auto%d", i))
			}
		}, true},
		{"emptied", "source-empty", func(w *world) { w.release("a/z"); w.must("zfs", "destroy", "a/z@%") }, true},
		{"emptied but for a bookmark", "source-empty", func(w *world) {
			w.must("zfs", "bookmark", "a/z@s1", "a/z#mark")
			w.release("a/z")
			w.must("zfs", "destroy", "a/z@%")
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.snapshot("s1")
			w.done("pull", "fetch")
			c.change(w)
			target := `"b/back/a/z": ` + c.reason
			for _, args := range [][]string{{"pull", "-skip", "prune", "fetch"}, {"pull", "-skip", "prune", "fetch"}} {
				code, said := w.ctl(args...)
				if code != 1 || !strings.Contains(said, target) || !strings.Contains(said, "zreplctl forget") {
					t.Errorf("exit status %d: %s", code, said)
				}
			}
			if code, said := w.ctl("plan", "fetch"); code != 1 || !strings.Contains(said, c.reason+"\t") {
				t.Errorf("plan: exit status %d: %s", code, said)
			}
			before := w.everything()
			if code, said := w.ctl("forget", "-n", "fetch", "b/back/a/z"); code != 0 || said != "b/back/a/z@s1\n" {
				t.Errorf("forget -n: exit status %d: %s", code, said)
			}
			if strings.Join(before, "\n") != strings.Join(w.everything(), "\n") {
				t.Error("forget -n changed something")
			}
			if code, said := w.ctl("forget", "fetch", "b/back/a/x"); code != 1 {
				t.Errorf("forget of what is offered: exit status %d: %s", code, said)
			}
			if code, said := w.ctl("forget", "fetch", "b/back/a/z"); code != 0 || said != "b/back/a/z@s1\n" {
				t.Errorf("forget: exit status %d: %s", code, said)
			}
			for range 2 {
				w.done("pull", "fetch")
			}
			w.must("zfs", "list", "b/back/a/z@s1")
		})
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// release takes all holds off a dataset's snapshots.
func (w *world) release(ds string) {
	w.t.Helper()
	for _, h := range w.holds() {
		name, tag, _ := strings.Cut(h, " ")
		if strings.HasPrefix(name, ds+"@") {
			w.must("zfs", "release", tag, name)
		}
	}
}

// A prefix that fits no snapshot is a failure, also before anything has come;
// a dataset that never had a snapshot is none.
func TestNoneWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "a/x/new")
	w.must("zfs", "snapshot", "a/x@daily_1")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 || !strings.Contains(said, "none-wanted: ") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zfs", "snapshot", "a/x@s1")
	w.done("local", "mirror")
	w.release("a/x")
	w.must("zfs", "rename", "a/x@s1", "a/x@hourly_1")
	w.must("zfs", "snapshot", "a/x@hourly_2")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 || !strings.Contains(said, "none-wanted: ") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zfs", "snapshot", "a/x@s2")
	w.done("local", "mirror")
}

// The failure of a dataset is told also if a placeholder takes its place, for
// what is below.
func TestNoneWantedAbove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, ds := range []string{"a/x", "a/x/y", "a/x/y/z"} {
		w.must("zfs", "create", ds)
	}
	w.must("zfs", "snapshot", "a/x@s1")
	w.must("zfs", "snapshot", "a/x/y@daily_1")
	w.must("zfs", "snapshot", "a/x/y/z@s1")
	for range 2 {
		if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 || !strings.Contains(said, `"b/mirror/x/y": none-wanted: `) {
			t.Errorf("exit status %d: %s", code, said)
		}
		if code, said := w.ctl("status"); !strings.Contains(said, "none-wanted") {
			t.Errorf("status: %d: %s", code, said)
		}
	}
	w.must("zfs", "list", "b/mirror/x/y/z@s1")
}

// A pool of the sender that is not imported, under a rule for everything.
func TestPoolOfSeveralGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool("c")
	w.extend(`- {name: all, type: source, serve: {type: stdinserver, client_identity: third}, datasets: {"a<": ok, "c<": ok}, snapshot_prefix: s}
- {name: fetchall, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, third]}, mapping: {"<": b/all}}
`)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "c/y")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.must("zfs", "snapshot", "-r", "c@s1")
	w.done("pull", "fetchall")
	w.must("zpool", "export", "c")
	code, said := w.ctl("pull", "-skip", "prune", "fetchall")
	if code != 1 || !strings.Contains(said, `"b/all/c/y": not-offered`) || !strings.Contains(said, `"b/all/c": not-offered`) {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// Two jobs through one identity would move one cursor: the second is refused,
// until a person says that it takes the place of the first.
func TestSecondJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(`- {name: fetch_too, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a<": b/too/a}}
`)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	held := w.holds()
	w.snapshot("s2")
	code, said := w.ctl("pull", "-skip", "prune", "fetch_too")
	if code != 1 || !strings.Contains(said, `identity "me" belongs to job "fetch"`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.equal("holds", w.holds(), held...)
	w.done("pull", "fetch")
	if code, said := w.ctl("forget", "offer"); code != 0 || said != "me\tfetch\n" {
		t.Errorf("forget: exit status %d: %s", code, said)
	}
	w.done("pull", "fetch_too")
	if code, _ := w.ctl("pull", "-skip", "prune", "fetch"); code != 1 {
		t.Errorf("exit status %d", code)
	}
}

// The source stops to offer a dataset, and then the pool of its copy goes: no
// run can see the copy, and each fails.
func TestNotCoveredPoolGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool("c")
	w.configure(`
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a/x<": ok, "a/y<": ok}, snapshot_prefix: s}
- {name: fetch, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a/x<": b/x, "a/y<": c/y}}
`)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "a/y")
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.must("zfs", "rename", "a/y", "a/gone")
	if code, said := w.ctl("pull", "fetch"); code != 1 || !strings.Contains(said, "not-offered") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zpool", "export", "c")
	for range 2 {
		if code, said := w.ctl("pull", "fetch"); code != 1 || !strings.Contains(said, `pool "c" does not exist here, or is not imported`) {
			t.Errorf("exit status %d: %s", code, said)
		}
		if code, said := w.ctl("monitor", "fetch"); code == 0 || !strings.Contains(said, `pool "c"`) {
			t.Errorf("monitor: exit status %d: %s", code, said)
		}
	}
}
