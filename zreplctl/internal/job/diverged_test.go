package job_test

import (
	"slices"
	"strings"
	"testing"
)

// rolledBack has a job replicate a/x up to s2, and then rolls the source back to
// s1, or destroys s2 there; s3 follows, unless next is empty.
func (w *world) rolledBack(job [3]string, how, next string) {
	w.t.Helper()
	w.configure(strings.NewReplacer("CURSOR", "hold", "OFFER", `"a/x<": ok`).Replace(promotedJobs))
	w.must("zfs", "create", "b/sink")
	w.must("zfs", "create", "a/x")
	for _, n := range []string{"s1", "s2"} {
		w.fill("a/x", 3000)
		w.must("zfs", "snapshot", "a/x@"+n)
		w.done(job[0], job[1])
	}
	w.release("a/x")
	if how == "rollback" {
		w.must("zfs", "rollback", "-r", "a/x@s1")
	} else {
		w.must("zfs", "destroy", "a/x@s2")
	}
	if next != "" {
		w.fill("a/x", 3000)
		w.must("zfs", "snapshot", "a/x@"+next)
	}
}

// If the source lost what the job received last, the job's hold on that does not
// bar the way back to the base.
func TestDivergedBySource(t *testing.T) {
	for _, c := range []struct {
		how, tag string
		job      [3]string
	}{
		{"rollback", "fetch", [3]string{"pull", "fetch", "b/fetch/x"}},
		{"destroy", "mirror", [3]string{"local", "mirror", "b/mirror/x"}},
		{"rollback", "sink", [3]string{"push", "pushit", "b/sink/a/x"}},
	} {
		t.Run(c.job[0], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.rolledBack(c.job, c.how, "s3")
			kind, name, copy := c.job[0], c.job[1], c.job[2]
			if c.how == "destroy" { // as an earlier version left it
				w.must("zfs", "hold", "zreplctl_last_"+c.tag, copy+"@s1")
			}
			if code, said := w.ctl(kind, "-skip", "snapshot,prune", name); code != 1 || !strings.Contains(said, "diverged: ") {
				t.Errorf("exit status %d: %s", code, said)
			}
			if got := w.holds(); !slices.Contains(got, copy+"@s1 zreplctl_last_"+c.tag) {
				t.Errorf("the base is not held: %q", got)
			}
			w.must("zfs", "rollback", "-r", copy+"@s1")
			w.done(kind, name)
			w.same("a/x", copy)
		})
	}
}

// The hold stays if nothing is in common, if the sender has the snapshot in
// another dataset, and if it is another's.
func TestHoldsOfConflictStay(t *testing.T) {
	job := [3]string{"pull", "fetch", "b/fetch/x"}
	for name, change := range map[string]func(w *world){
		"unrelated": func(w *world) { w.release("a/x"); w.must("zfs", "destroy", "a/x@s1") },
		"promoted": func(w *world) {
			w.must("zfs", "create", "a/x/n")
			w.must("sh", "-c", "zfs send b/fetch/x@s2 | zfs receive -u -F a/x/n")
		},
		"diverged": func(w *world) {
			w.must("zfs", "release", "zreplctl_last_fetch", "b/fetch/x@s2")
			w.must("zfs", "hold", "mine", "b/fetch/x@s2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.rolledBack(job, "rollback", "s3")
			change(w)
			for range 2 {
				if code, said := w.ctl("pull", "-skip", "snapshot,prune", "fetch"); code != 1 || !strings.Contains(said, name+": ") {
					t.Errorf("exit status %d: %s", code, said)
				}
				w.aged("fetch")
			}
			if !slices.ContainsFunc(w.holds(), func(h string) bool { return strings.HasPrefix(h, "b/fetch/x@s2 ") }) {
				t.Errorf("the hold has gone: %q", w.holds())
			}
		})
	}
}

// What only the copy has since the source was rolled back is not pruned by the job,
// although its hold is released, and another snapshot is the newest.
func TestDivergedKeepsWhatSourceLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("c.yml", strings.ReplaceAll(`global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: mirror, type: local, mapping: {"a/x<": b/x}, snapshot_prefix: s, prune_rhs: {keep: [{type: regex, regex: "^s1$"}]}}
`, "DIR", w.dir))
	w.must("zfs", "create", "a/x")
	for _, n := range []string{"s1", "s2", "s3"} {
		w.fill("a/x", 3000)
		w.must("zfs", "snapshot", "a/x@"+n)
		if n != "s2" {
			w.done("local", "mirror")
		}
	}
	w.must("zfs", "snapshot", "b/x@sauto")
	w.release("a/x")
	w.must("zfs", "rollback", "-r", "a/x@s1")
	w.fill("a/x", 3000)
	w.must("zfs", "snapshot", "a/x@s4")
	for range 2 {
		if code, said := w.ctl("local", "-skip", "snapshot", "mirror"); code != 1 || !strings.Contains(said, "diverged: ") {
			t.Errorf("exit status %d: %s", code, said)
		}
	}
	for _, n := range []string{"s1", "s2", "s3", "sauto"} {
		w.must("zfs", "list", "b/x@"+n)
	}
	w.must("zfs", "rollback", "-r", "b/x@s1")
	w.done("local", "mirror")
}
