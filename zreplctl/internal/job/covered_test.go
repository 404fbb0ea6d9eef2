package job_test

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// newCopies is a world with a job of each active type that has a/in and what is
// below it, in a pool of its own.
func newCopies(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.pool("c")
	w.configure(`
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a/in<": ok}, snapshot_prefix: s, shared_prefix: true}
- {name: fetch, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"<": c/pull}}
- {name: mirror, type: local, mapping: {"a/in<": c/local}, snapshot_prefix: s, shared_prefix: true}
- {name: sink, type: push-sink, serve: {type: stdinserver, client_identity: pusher}, root: c/push}
- {name: pushit, type: push, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, pusher]}, datasets: {"a/in<": ok}, snapshot_prefix: s, shared_prefix: true}
`)
	for _, ds := range []string{"a/in", "a/in/y", "c/push"} {
		w.must("zfs", "create", ds)
	}
	return w
}

// active are the jobs of newCopies, and where each has its copy of a/in/y.
var active = []struct{ kind, job, copy string }{
	{"pull", "fetch", "c/pull/a/in/y"}, {"push", "pushit", "c/push/a/in/y"}, {"local", "mirror", "c/local/y"},
}

// misses checks that a job reports a copy in every run, and that monitor knows.
func (w *world) misses(what, kind, job, copy string) {
	w.t.Helper()
	for run := range 2 {
		code, said := w.ctl(kind, "-skip", "snapshot,prune", job)
		if code != 1 || !strings.Contains(said, fmt.Sprintf("%q: not-offered", copy)) {
			w.t.Errorf("%s: %s, run %d: exit status %d: %s", what, job, run, code, said)
		}
	}
	if code, said := w.ctl("monitor", job); code == 0 || !strings.Contains(said, copy) && !strings.Contains(said, "a/in/"+path.Base(copy)) {
		w.t.Errorf("%s: monitor: exit status %d: %s", what, code, said)
	}
}

// showsMissing checks that all who look at a job say that a copy is not offered.
func (w *world) showsMissing(job string) {
	w.t.Helper()
	if code, said := w.ctl("plan", job); code != 1 || !strings.Contains(said, "not-offered") {
		w.t.Errorf("plan: exit status %d: %s", code, said)
	}
	for want, args := range map[string][]string{"not-offered": {"status", job}, "source": {"report"}} {
		if code, said := w.ctl(args...); !strings.Contains(said, want) {
			w.t.Errorf("%q: exit status %d: %s", args, code, said)
		}
	}
	_, said := w.ctl("metrics")
	counted := func(line string) bool {
		return strings.Contains(line, "job_copies") && strings.Contains(line, fmt.Sprintf("job=%q", job)) && strings.HasSuffix(line, `"not-offered"} 1`)
	}
	if !slices.ContainsFunc(strings.Split(said, "\n"), counted) {
		w.t.Errorf("metrics: %s", said)
	}
}

// TestCoveredStays: the source stops to offer a dataset; whatever then happens
// to what the runs have noted, to the holds, to the copy and to its pool, each
// run fails until a person says otherwise.
func TestCoveredStays(t *testing.T) {
	for _, j := range active {
		t.Run(j.job, func(t *testing.T) {
			t.Parallel()
			w := newCopies(t)
			w.snapshot("s1")
			w.done(j.kind, j.job)
			w.must("zfs", "rename", "a/in/y", "a/gone")
			w.misses("not offered", j.kind, j.job, j.copy)
			if err := os.RemoveAll(w.path("state")); err != nil {
				t.Fatal(err)
			}
			w.misses("statedir lost", j.kind, j.job, j.copy)
			w.release(j.copy)
			w.misses("holds gone", j.kind, j.job, j.copy)
			w.must("zfs", "rename", j.copy, "c/elsewhere")
			w.misses("copy gone", j.kind, j.job, j.copy)
			for _, name := range []string{".json", ".bases"} { // what the last run saw is lost, and what was covered is not
				if err := os.Remove(w.path("state/" + j.job + name)); err != nil {
					t.Fatal(err)
				}
			}
			if code, said := w.ctl("monitor", j.job); code == 0 || !strings.Contains(said, "/y: ") {
				t.Errorf("monitor without a record: exit status %d: %s", code, said)
			}
			w.must("zpool", "destroy", "c")
			w.must("zpool", "create", "-R", w.path("mnt"), "c", w.path("c.img"))
			w.must("zfs", "create", "c/push")
			w.misses("pool replaced", j.kind, j.job, j.copy)
			w.showsMissing(j.job)
			if code, said := w.ctl("forget", "-n", j.job, j.copy); code != 0 || said != j.copy+"\n" {
				t.Errorf("forget -n: exit status %d: %s", code, said)
			}
			w.misses("looked at", j.kind, j.job, j.copy)
			if code, said := w.ctl("forget", j.job, "a/in/y"); code != 0 || said != j.copy+"\n" {
				t.Errorf("forget: exit status %d: %s", code, said)
			}
			for range 2 {
				w.done(j.kind, j.job)
			}
			if code, said := w.ctl("forget", j.job, j.copy); code != 1 || !strings.Contains(said, "nothing to forget") {
				t.Errorf("forget again: exit status %d: %s", code, said)
			}
		})
	}
}

// TestCoveredPoolLost: also where the pool of the copy is not imported.
func TestCoveredPoolLost(t *testing.T) {
	t.Parallel()
	w := newCopies(t)
	w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), `{"a/in<": c/local}`, `{"a/in<": b/local, "a/in/y": c/y}`))
	w.snapshot("s1")
	w.done("local", "mirror")
	w.must("zfs", "rename", "a/in/y", "a/gone")
	w.misses("not offered", "local", "mirror", "c/y")
	w.must("zpool", "export", "c")
	w.misses("exported", "local", "mirror", "c/y")
	if _, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); !strings.Contains(said, `pool "c" does not exist here, or is not imported`) {
		t.Errorf("%s", said)
	}
}

// TestCoveredByHand: a copy that was made by hand is covered once a run has
// found a base in it, however many snapshots another program takes there.
func TestCoveredByHand(t *testing.T) {
	for _, j := range active {
		t.Run(j.job, func(t *testing.T) {
			t.Parallel()
			w := newCopies(t)
			w.snapshot("s1")
			parent := j.copy[:strings.LastIndex(j.copy, "/")]
			if above := parent[:strings.LastIndex(parent, "/")]; above != "c" {
				w.must("zfs", "create", "-p", above)
			}
			w.must("sh", "-c", "zfs send -L a/in@s1 | zfs receive -u -o readonly=on "+parent)
			w.must("sh", "-c", "zfs send -L a/in/y@s1 | zfs receive -u -o readonly=on "+j.copy)
			w.done(j.kind, j.job)
			for i := range 9 {
				w.must("zfs", "snapshot", fmt.Sprintf("%s@auto%d", j.copy, i))
			}
			w.must("zfs", "rename", "a/in/y", "a/gone")
			w.misses("many", j.kind, j.job, j.copy)
			if err := os.RemoveAll(w.path("state")); err != nil {
				t.Fatal(err)
			}
			w.misses("statedir lost", j.kind, j.job, j.copy)
		})
	}
}

// TestCoveredByRules: a copy in a place that the job's rules name no more is no
// longer the job's; put back, it is.
func TestCoveredByRules(t *testing.T) {
	t.Parallel()
	w := newCopies(t)
	w.snapshot("s1")
	w.done("local", "mirror")
	before := w.read("c.yml")
	other := strings.ReplaceAll(before, `{"a/in<": c/local}`, `{"a/in": c/other}`)
	w.write("c.yml", other)
	w.done("local", "mirror")
	w.write("c.yml", before)
	w.must("zfs", "rename", "a/in/y", "a/gone")
	w.misses("put back", "local", "mirror", "c/local/y")
	w.write("c.yml", other)
	w.done("local", "mirror")
	if code, said := w.ctl("forget", "mirror", "c/local/y"); code != 0 || said != "c/local/y\n" {
		t.Errorf("forget: exit status %d: %s", code, said)
	}
}

// TestCoveredMoved: where the copies are renamed together with the rules, none
// is missing; a source that then goes is missed once, under its new name.
func TestCoveredMoved(t *testing.T) {
	t.Parallel()
	w := newCopies(t)
	w.snapshot("s1")
	w.done("push", "pushit")
	w.must("zfs", "rename", "c/push", "c/moved")
	w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), "root: c/push", "root: c/moved"))
	for range 2 {
		w.done("push", "pushit")
	}
	w.must("zfs", "rename", "a/in/y", "a/gone")
	w.misses("moved", "push", "pushit", "c/moved/a/in/y")
	if _, said := w.ctl("push", "-skip", "snapshot,prune", "pushit"); strings.Contains(said, "c/push") {
		t.Errorf("%s", said)
	}
}

// TestCoveredRenamed: where a dataset is renamed on both sides, none is missing;
// one that then goes on both sides is missed once, under its new name.
func TestCoveredRenamed(t *testing.T) {
	t.Parallel()
	w := newCopies(t)
	w.snapshot("s1")
	for _, a := range active {
		w.done(a.kind, a.job)
	}
	w.must("zfs", "rename", "a/in/y", "a/in/z")
	for _, a := range active {
		renamed := strings.TrimSuffix(a.copy, "y") + "z"
		w.must("zfs", "rename", a.copy, renamed)
		for range 2 {
			w.done(a.kind, a.job)
		}
	}
	w.must("zfs", "rename", "a/in/z", "a/out")
	for _, a := range active {
		w.misses("renamed", a.kind, a.job, strings.TrimSuffix(a.copy, "y")+"z")
		if _, said := w.ctl(a.kind, "-skip", "snapshot,prune", a.job); strings.Contains(said, a.copy) {
			t.Errorf("%s", said)
		}
	}
}
