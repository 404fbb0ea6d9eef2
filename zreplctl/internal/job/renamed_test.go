package job_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// One tree, sent in three ways to receivers that let copies follow.
const renamedJobs = `
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a<": ok}, snapshot_prefix: s, shared_prefix: true, cursor: CURSOR}
- {name: fetch, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a<": b/fetch}, recv: {renamed: RENAMED}}
- {name: mirror, type: local, mapping: {"a<": b/mirror}, snapshot_prefix: s, shared_prefix: true, cursor: CURSOR, recv: {renamed: RENAMED}}
- {name: sink, type: push-sink, serve: {type: stdinserver, client_identity: pusher}, root: b/sink, recv: {renamed: RENAMED}}
- {name: pushit, type: push, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, pusher]}, datasets: {"a<": ok}, snapshot_prefix: s, shared_prefix: true, cursor: CURSOR}
`

var renamedBy = [][3]string{{"pull", "fetch", "b/fetch"}, {"local", "mirror", "b/mirror"}, {"push", "pushit", "b/sink/a"}}

func (w *world) renameJobs(cursor, renamed string) {
	w.t.Helper()
	w.configure(strings.NewReplacer("CURSOR", cursor, "RENAMED", renamed).Replace(renamedJobs))
	w.must("zfs", "create", "b/sink")
}

// TestRenamed: the copies of datasets that were renamed on the source are renamed,
// too, and nothing is sent again: the older snapshots are there.
func TestRenamed(t *testing.T) {
	for _, cursor := range []string{"hold", "bookmark"} {
		for _, job := range renamedBy {
			t.Run(cursor+"_"+job[0], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.renameJobs(cursor, "follow")
				for _, name := range []string{"a/x", "a/x/n", "a/x/n/deep", "a/out", "a/stays"} {
					w.must("zfs", "create", name)
				}
				w.must("zfs", "create", "-V", "1M", "a/x/vol")
				w.must("zfs", "snapshot", "-r", "a@s1")
				w.done(job[0], job[1])
				w.must("zfs", "rename", "a/x/n", "a/stays/n")
				w.must("zfs", "rename", "a/x", "a/y")
				w.must("zfs", "create", "-p", "a/new/er")
				w.must("zfs", "rename", "a/out", "a/new/er/out")
				code, plan := w.ctl("plan", job[1])
				if code != 0 || strings.Count(plan, "rename\t") != 3 || strings.Contains(plan, "not-offered") {
					t.Errorf("exit status %d: %s", code, plan)
				}
				w.must("zfs", "snapshot", "-r", "a@s2")
				w.done(job[0], job[1])
				want := []string{"", "/new", "/new/er", "/new/er/out", "/stays", "/stays/n", "/stays/n/deep", "/y", "/y/vol"}
				for i := range want {
					want[i] = job[2] + want[i]
				}
				if got := w.lines("zfs", "list", "-rHo", "name", job[2]); !slices.Equal(got, want) {
					t.Errorf("%q", got)
				}
				for _, name := range []string{"/new/er/out", "/stays/n", "/stays/n/deep", "/y", "/y/vol"} {
					w.must("zfs", "list", job[2]+name+"@s1", job[2]+name+"@s2")
				}
				w.must("zfs", "snapshot", "-r", "a@s3")
				if said := w.done(job[0], job[1]); strings.Contains(said, "rename") {
					t.Errorf("%s", said)
				}
				for _, args := range [][]string{{"monitor"}, {"check"}} {
					if code, said := w.ctl(args...); strings.Contains(said, "no longer") || strings.Contains(said, "not-offered") || strings.Contains(said, "/x") {
						t.Errorf("%q: exit status %d: %s", args, code, said)
					}
				}
			})
		}
	}
}

// renameOne has job mirror copy a tree, and renames a/x to a/y.
func (w *world) renameOne(renamed string) {
	w.t.Helper()
	w.renameJobs("hold", renamed)
	w.must("zfs", "create", "-p", "a/x/n")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("local", "mirror")
	w.must("zfs", "rename", "a/x", "a/y")
	w.must("zfs", "snapshot", "-r", "a@s2")
}

// refused runs mirror, which must fail for a reason and leave the copy as it is.
func (w *world) refused(why string) {
	w.t.Helper()
	for range 2 {
		code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
		if code != 1 || !strings.Contains(said, why) {
			w.t.Errorf("exit status %d: %s", code, said)
		}
		if w.command("zfs", "list", "b/mirror/y").Run() == nil {
			w.t.Error("a/y was sent")
		}
		w.must("zfs", "list", "b/mirror/x@s1", "b/mirror/x/n@s1")
	}
}

// follows runs mirror, which must rename the copy.
func (w *world) follows() {
	w.t.Helper()
	w.done("local", "mirror")
	w.must("zfs", "list", "b/mirror/y@s1", "b/mirror/y@s2", "b/mirror/y/n@s1", "b/mirror/y/n@s2")
}

// TestRenamedInUse: a copy that somebody uses, or that has something below it that
// is not the job's, keeps its name, and nothing is sent. It is renamed once it is
// as it was.
func TestRenamedInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renameOne("follow")
	w.must("zfs", "set", "mountpoint="+w.path("used"), "b/mirror/x/n")
	w.must("zfs", "mount", "b/mirror/x/n")
	w.refused(`renamed: the source was renamed, and its copy "b/mirror/x" cannot be: cannot rename "b/mirror/x" to "b/mirror/y": "b/mirror/x/n" is mounted`)
	w.must("zfs", "unmount", "b/mirror/x/n")
	w.follows()
}

// TestRenamedOthers: what is below a copy and not the job's, or has a source of its
// own, stays where it is, and so does the copy.
func TestRenamedOthers(t *testing.T) {
	for _, name := range []string{"foreign", "child_stays"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.renameOne("follow")
			if name == "foreign" {
				w.must("zfs", "create", "b/mirror/x/mine")
				w.refused(`cannot replicate "a/y" to "b/mirror/y": renamed: the source was renamed, and its copy "b/mirror/x" cannot be: "b/mirror/x/mine" below it is not on the job's list of copies`)
				w.must("zfs", "destroy", "b/mirror/x/mine")
				w.follows()
				return
			}
			w.must("zfs", "rename", "a/y/n", "a/n")
			w.must("zfs", "create", "a/x")
			w.must("zfs", "rename", "a/n", "a/x/n")
			if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 || strings.Contains(said, "renamed the copy") {
				t.Errorf("exit status %d: %s", code, said)
			}
			w.must("zfs", "list", "b/mirror/x@s1", "b/mirror/x/n@s2", "b/mirror/y@s2")
		})
	}
}

// TestRenamedReport: as a rule the copy stays, and the source is sent as a new one.
func TestRenamedReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renameOne("report")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 || !strings.Contains(said, "not-offered") ||
		!strings.Contains(said, `its source may be "a/y" now, which has its snapshot @s1`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zfs", "list", "b/mirror/x@s1", "b/mirror/x/n@s1", "b/mirror/y@s2", "b/mirror/y/n@s2")
	if w.command("zfs", "list", "b/mirror/y@s1").Run() == nil {
		t.Error("the copy was renamed")
	}
}

// TestRenamedTwin: a second dataset with the same snapshots is not taken for the
// first under a new name, while that is there, or if there are two.
func TestRenamedTwin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renameOne("follow")
	w.must("sh", "-c", "zfs send a/y@s1 | zfs receive a/twin")
	w.must("zfs", "snapshot", "a/twin@s2")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 || strings.Contains(said, `renamed the copy "b/mirror/x"`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zfs", "list", "b/mirror/x@s1", "b/mirror/y@s2", "b/mirror/twin@s2")
}

// TestRenamedClone: a clone that was promoted, in the place of what it is a clone
// of, is not that one if it lacks what the copy has.
func TestRenamedClone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renameJobs("hold", "follow")
	w.must("zfs", "create", "a/x")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("local", "mirror")
	w.must("zfs", "snapshot", "-r", "a@s2")
	w.done("local", "mirror")
	w.must("zfs", "clone", "a/x@s1", "a/y")
	w.must("zfs", "promote", "a/y")
	w.must("zreplctl", "-config", w.path("c.yml"), "holds", "-release", "mirror")
	w.must("zfs", "destroy", "-r", "a/x")
	w.must("zfs", "snapshot", "-r", "a@s3")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 || strings.Contains(said, "renamed the copy") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zfs", "list", "b/mirror/x@s2", "b/mirror/y@s3")
}

// TestRenamedShared: a copy that is on the list of another job keeps its name.
func TestRenamedShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renameOne("follow")
	w.write("state/other.covered", w.read("state/mirror.covered"))
	w.refused(`cannot rename "b/mirror/x" to "b/mirror/y": "b/mirror/x" is a copy of job "other", too`)
	if err := os.Remove(w.path("state/other.covered")); err != nil {
		t.Error(err)
	}
	w.follows()
}

// TestRenamedByHand: who renames the copy after a run could not is believed, and so
// is a run that was killed before it wrote down what it had renamed. What is below it
// and was renamed once more follows.
func TestRenamedByHand(t *testing.T) {
	for _, inUse := range []bool{true, false} {
		t.Run(map[bool]string{true: "in_use", false: "killed"}[inUse], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.renameOne("follow")
			w.must("zfs", "rename", "a/y/n", "a/y/m")
			if inUse {
				w.must("zfs", "set", "mountpoint="+w.path("used"), "b/mirror/x/n")
				w.must("zfs", "mount", "b/mirror/x/n")
				w.refused(`"b/mirror/x/n" is mounted`)
				w.must("zfs", "unmount", "b/mirror/x/n")
			}
			w.must("zfs", "rename", "b/mirror/x", "b/mirror/y")
			w.done("local", "mirror")
			w.equal("copies", w.lines("zfs", "list", "-rHo", "name", "b/mirror/y"), "b/mirror/y", "b/mirror/y/m")
			w.must("zfs", "list", "b/mirror/y@s1", "b/mirror/y/m@s1", "b/mirror/y/m@s2")
			if said := w.done("local", "mirror"); said != "" {
				t.Errorf("%s", said)
			}
		})
	}
}

// TestRenamedOtherPool: a dataset with the same snapshots in another pool is not
// the source under a new name, though that is not imported.
func TestRenamedOtherPool(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renameJobs("hold", "follow")
	w.configure(strings.Replace(strings.NewReplacer("CURSOR", "hold", "RENAMED", "follow").Replace(renamedJobs), `mapping: {"a<": b/mirror}`, `mapping: {"a<": b/mirror, "b/here<": b/there}`, 1))
	w.must("zfs", "create", "b/here")
	w.must("zfs", "create", "a/x")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.must("zfs", "snapshot", "-r", "b/here@s1")
	w.done("local", "mirror")
	w.must("sh", "-c", "zfs send a/x@s1 | zfs receive b/here/standby")
	w.must("zfs", "snapshot", "-r", "b/here@s2")
	w.must("zpool", "export", "a")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code == 0 || strings.Contains(said, "renamed the copy") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zfs", "list", "b/mirror/x@s1")
}

// TestRenamedTakesAlong: what the source has no more, and what the first stream of a
// new dataset left when it was cut, goes with the copy. Of two copies the one that
// has more follows.
func TestRenamedTakesAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renameJobs("hold", "report")
	w.must("zfs", "create", "-p", "a/w/old")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("local", "mirror")
	w.must("zfs", "rename", "a/w", "a/x")
	w.must("zfs", "snapshot", "-r", "a@s2")
	w.ctl("local", "-skip", "snapshot,prune", "mirror") // sends it anew
	for _, held := range w.holds() {
		if name, tag, _ := strings.Cut(held, " "); strings.HasPrefix(name, "a/x/old@") {
			w.must("zfs", "release", tag, name)
		}
	}
	w.must("zfs", "destroy", "-r", "a/x/old")
	w.configure(strings.NewReplacer("CURSOR", "hold", "RENAMED", "follow").Replace(renamedJobs))
	w.ctl("local", "-skip", "snapshot,prune", "mirror")
	w.must("zfs", "rename", "a/x", "a/y")
	w.must("zfs", "snapshot", "-r", "a@s3")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 ||
		!strings.Contains(said, `renamed the copy "b/mirror/x" to "b/mirror/y"`) || !strings.Contains(said, `"b/mirror/y/old": not-offered`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zfs", "list", "b/mirror/w@s1", "b/mirror/w/old@s1", "b/mirror/y@s2", "b/mirror/y@s3", "b/mirror/y/old@s2")
}

// TestRenamedDiffers: what is known of a damaged copy is known under its new name.
func TestRenamedDiffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renameJobs("hold", "follow")
	w.must("zfs", "create", "-p", "a/x/n")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("local", "mirror")
	w.ctl("verify", "mirror")
	before := w.read("state/mirror.verified")
	w.must("zfs", "rename", "a/x", "a/y")
	w.must("zfs", "snapshot", "-r", "a@s2")
	w.follows()
	if now := w.read("state/mirror.verified"); !strings.Contains(before, "b/mirror/x/n") || now != strings.ReplaceAll(before, "b/mirror/x", "b/mirror/y") {
		t.Errorf("%s, and before %s", now, before)
	}
}

// TestRenamedPlain: what is stored without encryption does not come below a dataset
// that would encrypt it.
func TestRenamedPlain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renameJobs("hold", "follow")
	w.configure(strings.Replace(strings.NewReplacer("CURSOR", "hold", "RENAMED", "follow").Replace(renamedJobs), `mapping: {"a<": b/mirror}`, `mapping: {"a<": b/mirror, "a/sec<": b/enc/sec}`, 1))
	w.write("key", "12345678")
	w.must("zfs", "create", "-o", "encryption=on", "-o", "keyformat=passphrase", "-o", "keylocation=file://"+w.path("key"), "b/enc")
	for _, name := range []string{"a/x", "a/sec"} {
		w.must("zfs", "create", name)
	}
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("local", "mirror")
	w.must("zfs", "rename", "a/x", "a/sec/x")
	w.must("zfs", "snapshot", "-r", "a@s2")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 || !strings.Contains(said, `"b/mirror/x" is not encrypted, and what is received below "b/enc/sec" is`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zfs", "list", "b/mirror/x@s1")
	w.must("zreplctl", "-config", w.path("c.yml"), "forget", "mirror", "b/mirror/x")
	w.done("local", "mirror")
	w.shows("b/enc/sec/x", "encryption", "aes-256-gcm -")
}
