package job_test

import (
	"fmt"
	"strings"
	"testing"
)

// One tree, sent in three ways to receivers that take clones.
const cloneJobs = `
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a/x<": ok}, snapshot_prefix: s, shared_prefix: true, cursor: CURSOR}
- {name: fetch, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a/x<": b/fetch/x}, recv: {clones: CLONES}}
- {name: mirror, type: local, mapping: {"a/x<": b/mirror/x}, snapshot_prefix: s, shared_prefix: true, cursor: CURSOR, recv: {clones: CLONES}}
- {name: sink, type: push-sink, serve: {type: stdinserver, client_identity: pusher}, root: b/sink, recv: {clones: CLONES}}
- {name: pushit, type: push, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, pusher]}, datasets: {"a/x<": ok}, snapshot_prefix: s, shared_prefix: true, cursor: CURSOR}
`

var clonedBy = [][3]string{{"pull", "fetch", "b/fetch/x"}, {"local", "mirror", "b/mirror/x"}, {"push", "pushit", "b/sink/a/x"}}

func (w *world) cloneJobs(cursor, clones string) {
	w.t.Helper()
	w.configure(strings.NewReplacer("CURSOR", cursor, "CLONES", clones).Replace(cloneJobs))
}

// isCloneOf looks at the origin of a copy; "-": it has none.
func (w *world) isCloneOf(ds, want string) {
	w.t.Helper()
	if got := strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "origin", ds)); got != want {
		w.t.Errorf("%s is a clone of %s, not of %s", ds, got, want)
	}
}

// TestClones: what is a clone on the source becomes one of its origin's copy, in one
// run with the origin, and later; a clone of a clone and of a volume, too.
func TestClones(t *testing.T) {
	for _, cursor := range []string{"hold", "bookmark"} {
		for _, job := range clonedBy {
			t.Run(cursor+"_"+job[0], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.cloneJobs(cursor, "share")
				w.must("zfs", "create", "-p", "a/x/z/origin")
				w.must("zfs", "create", "-V", "1M", "a/x/vol")
				w.fill("a/x/z/origin", 3<<20)
				w.must("zfs", "snapshot", "-r", "a/x@s1")
				w.must("zfs", "clone", "a/x/z/origin@s1", "a/x/clone")
				w.must("zfs", "clone", "a/x/vol@s1", "a/x/avol")
				w.fill("a/x/clone", 1<<20)
				w.must("zfs", "snapshot", "-r", "a/x@s2")
				w.must("zfs", "clone", "a/x/clone@s2", "a/x/a")
				w.must("zfs", "snapshot", "-r", "a/x@s3")
				code, plan := w.ctl("plan", job[1])
				if code != 0 || strings.Count(plan, "\nclone\t") != 3 {
					t.Errorf("exit status %d: %s", code, plan)
				}
				w.done(job[0], job[1])
				copied := job[2]
				w.isCloneOf(copied+"/clone", copied+"/z/origin@s1")
				w.isCloneOf(copied+"/avol", copied+"/vol@s1")
				w.isCloneOf(copied+"/a", copied+"/clone@s2")
				w.shows(copied+"/clone", "readonly", "on local")
				w.shows(copied+"/clone", "canmount", "noauto local")
				w.must("zfs", "clone", "a/x/z/origin@s2", "a/x/later")
				w.must("zfs", "snapshot", "-r", "a/x@s4")
				w.done(job[0], job[1])
				w.isCloneOf(copied+"/later", copied+"/z/origin@s2")
				for _, name := range []string{"/clone", "/a", "/avol", "/later", "/z/origin"} {
					w.sameGUID("a/x"+name+"@s4", copied+name+"@s4")
				}
				if code, said := w.ctl("verify", job[1]); code != 0 {
					t.Errorf("exit status %d: %s", code, said)
				}
				if code, plan := w.ctl("plan", job[1]); code != 0 || strings.Contains(plan, "\nclone\t") || strings.Contains(plan, "full\t") {
					t.Errorf("exit status %d: %s", code, plan)
				}
			})
		}
	}
}

// TestClonesInFull: without the receiver's word, or where it cannot be, a clone is a
// copy of its own, and the plan says why.
func TestClonesInFull(t *testing.T) {
	for _, c := range []struct{ name, clones, why string }{
		{"not_asked", "full", ""}, {"pruned", "share", "does not have that snapshot"},
	} {
		for _, job := range clonedBy {
			t.Run(c.name+"_"+job[0], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.cloneJobs("hold", c.clones)
				w.must("zfs", "create", "-p", "a/x/origin")
				w.must("zfs", "snapshot", "-r", "a/x@s1")
				w.must("zfs", "snapshot", "-r", "a/x@s2")
				w.done(job[0], job[1]) // the newest alone
				w.must("zfs", "clone", "a/x/origin@s1", "a/x/clone")
				w.must("zfs", "snapshot", "-r", "a/x@s3")
				if code, plan := w.ctl("plan", job[1]); code != 0 || !strings.Contains(plan, "full\ta/x/clone") || !strings.Contains(plan, c.why) {
					t.Errorf("exit status %d: %s", code, plan)
				}
				said := w.done(job[0], job[1])
				if warned := strings.Contains(said, `warning: the copy of "a/x/clone" shares nothing with its origin: it is a clone of "a/x/origin@s1"`); warned != (c.why != "") {
					t.Errorf("%s", said)
				}
				if said = w.done(job[0], job[1]); strings.Contains(said, "warning") {
					t.Errorf("%s", said)
				}
				w.isCloneOf(job[2]+"/clone", "-")
				w.sameGUID("a/x/clone@s3", job[2]+"/clone@s3")
			})
		}
	}
}

// TestClonesCut: the stream of a clone that is cut goes on, as one.
func TestClonesCut(t *testing.T) {
	for _, job := range clonedBy {
		t.Run(job[0], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.cloneJobs("hold", "share")
			w.must("zfs", "create", "-p", "a/x/origin")
			w.must("zfs", "snapshot", "-r", "a/x@s1")
			w.done(job[0], job[1])
			w.must("zfs", "clone", "a/x/origin@s1", "a/x/clone")
			w.fill("a/x/clone", 8<<20)
			w.must("zfs", "snapshot", "-r", "a/x@s2")
			w.write("sim/faults", "on=send match=a/x/clone@s2 n=1 cut=2000000\n")
			if code, said := w.ctl(job[0], "-skip", "snapshot,prune", job[1]); code == 0 && !strings.Contains(said, "trying again") {
				t.Errorf("exit status %d: %s", code, said)
			}
			if w.token(job[2]+"/clone") != "-" { // a link that is lost is tried again in the run
				if code, plan := w.ctl("plan", job[1]); code != 0 || !strings.Contains(plan, "resume\ta/x/clone") || !strings.Contains(plan, "continues a cut stream of a clone") {
					t.Errorf("exit status %d: %s", code, plan)
				}
			}
			w.write("sim/faults", "")
			w.must("zfs", "snapshot", "-r", "a/x@s3")
			w.done(job[0], job[1])
			w.isCloneOf(job[2]+"/clone", job[2]+"/origin@s1")
			for _, s := range []string{"@s2", "@s3"} {
				w.sameGUID("a/x/clone"+s, job[2]+"/clone"+s)
			}
		})
	}
}

// TestClonesCutInFull: what a cut stream of a clone left is discarded if the receiver
// no longer takes clones.
func TestClonesCutInFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cloneJobs("hold", "share")
	w.must("zfs", "create", "-p", "a/x/origin")
	w.must("zfs", "snapshot", "-r", "a/x@s1")
	w.done("local", "mirror")
	w.must("zfs", "clone", "a/x/origin@s1", "a/x/clone")
	w.fill("a/x/clone", 8<<20)
	w.must("zfs", "snapshot", "-r", "a/x@s2")
	w.write("sim/faults", "on=send match=a/x/clone@s2 cut=2000000\n")
	w.tried("local", "mirror")
	w.write("sim/faults", "")
	if w.token("b/mirror/x/clone") == "-" {
		t.Fatal("nothing was cut")
	}
	w.cloneJobs("hold", "full")
	if said := w.done("local", "mirror"); !strings.Contains(said, `discarding the partial receive of "b/mirror/x/clone"`) {
		t.Errorf("%s", said)
	}
	w.isCloneOf("b/mirror/x/clone", "-")
	w.sameGUID("a/x/clone@s2", "b/mirror/x/clone@s2")
}

// TestClonesOriginFails: where the origin does not come, its clone waits, and both are
// failures. A later run has both.
func TestClonesOriginFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cloneJobs("hold", "share")
	w.must("zfs", "create", "-p", "a/x/origin")
	w.must("zfs", "snapshot", "-r", "a/x@s1")
	w.must("zfs", "clone", "a/x/origin@s1", "a/x/clone")
	w.must("zfs", "snapshot", "-r", "a/x@s2")
	w.write("sim/faults", "on=send match=a/x/origin@s1 fail message=broken\n")
	code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
	if code != 1 || !strings.Contains(said, `"b/mirror/x/origin" failed, which has to come before it: it is a clone`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	if w.command("zfs", "list", "b/mirror/x/clone").Run() == nil {
		t.Error("the clone came")
	}
	w.write("sim/faults", "")
	w.done("local", "mirror")
	w.isCloneOf("b/mirror/x/clone", "b/mirror/x/origin@s1")
}

// TestClonesPrune: pruning keeps the snapshot of which a copy is a clone, and that is
// no failure.
func TestClonesPrune(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(strings.Replace(strings.NewReplacer("CURSOR", "hold", "CLONES", "share").Replace(cloneJobs), "{name: mirror,", "{name: mirror, prune_rhs: {keep: [{type: last_n, count: 1}]},", 1))
	w.must("zfs", "create", "-p", "a/x/origin")
	w.must("zfs", "snapshot", "-r", "a/x@s1")
	w.must("zfs", "clone", "a/x/origin@s1", "a/x/clone")
	for i := range 3 {
		w.must("zfs", "snapshot", "-r", fmt.Sprintf("a/x@s%d", i+2))
		if code, said := w.ctl("local", "-skip", "snapshot", "mirror"); code != 0 {
			t.Errorf("exit status %d: %s", code, said)
		}
	}
	w.has("b/mirror/x/origin", "s1", "s4")
	w.isCloneOf("b/mirror/x/clone", "b/mirror/x/origin@s1")
}
