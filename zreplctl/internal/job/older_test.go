package job_test

import (
	"strings"
	"testing"
)

// Two configurations, of which neither knows of the other.
const (
	daily = `- {name: daily, type: local, mapping: {"a/x": b/two/x}, snapshot_prefix: d, shared_prefix: true, cursor: CURSOR, prune_lhs: {keep: [{type: last_n, count: 1}]}}
`
	hourly = `
global: {rundir: DIR/run2}
jobs:
- {name: hourly, type: local, mapping: {"a/x": b/two/x}, snapshot_prefix: h, cursor: CURSOR}
`
)

// Two jobs write to one target, so that an older snapshot of one of them never
// arrives: each run, each plan and each forget says so, and what the job could
// go back to stays protected, until a person has decided.
func TestOlderMissing(t *testing.T) {
	for _, cursor := range []string{"hold", "bookmark"} {
		for _, way := range []string{"forget", "rollback"} {
			t.Run(cursor+"_"+way, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.extend(strings.ReplaceAll(daily, "CURSOR", cursor))
				w.write("c2.yml", strings.NewReplacer("CURSOR", cursor, "DIR", w.dir).Replace(hourly))
				w.must("zfs", "create", "b/two")
				w.must("zfs", "create", "a/x")
				w.overtaken()
				for _, args := range [][]string{{"plan", "daily"}, {"local", "-skip", "snapshot", "daily"}, {"local", "-skip", "snapshot", "daily"}, {"plan", "daily"}} {
					if code, said := w.ctl(args...); code != 1 || !strings.Contains(said, "older-missing") || !strings.Contains(said, "lacks @d2 of the source") {
						t.Fatalf("%q: exit status %d: %s", args, code, said)
					}
				}
				w.hourly()
				if way == "forget" {
					w.leaveOut()
				} else {
					w.rollBack()
				}
				w.done("local", "daily")
				w.must("zfs", "snapshot", "a/x@d3")
				w.done("local", "daily")
				w.must("zfs", "list", "b/two/x@d3")
			})
		}
	}
}

// overtaken leaves the target with h2, and without d2, which is older.
func (w *world) overtaken() {
	w.must("zfs", "snapshot", "a/x@d1")
	w.done("local", "daily")
	w.must("zfs", "snapshot", "a/x@h1")
	w.hourly()
	w.done("local", "daily")
	w.must("zfs", "snapshot", "a/x@d2")
	w.must("zfs", "snapshot", "a/x@h2")
	w.hourly()
}

func (w *world) hourly() {
	w.t.Helper()
	if code, said := w.ctl("-config", w.path("c2.yml"), "local", "-skip", "snapshot", "hourly"); code != 0 {
		w.t.Fatalf("exit status %d: %s", code, said)
	}
}

func (w *world) leaveOut() {
	w.t.Helper()
	before := strings.Join(w.everything(), "\n")
	if code, said := w.ctl("forget", "-n", "daily", "a/x"); code != 0 || before != strings.Join(w.everything(), "\n") {
		w.t.Errorf("forget -n: exit status %d: %s", code, said)
	}
	if code, said := w.ctl("forget", "daily", "a/x"); code != 0 {
		w.t.Errorf("forget: exit status %d: %s", code, said)
	}
	var last []string
	for _, h := range w.holds() {
		if strings.HasSuffix(h, " zreplctl_last_daily") {
			last = append(last, h)
		}
	}
	w.equal("the job's holds", last, "b/two/x@h2 zreplctl_last_daily")
}

func (w *world) rollBack() {
	w.t.Helper()
	w.must("zfs", "release", "zreplctl_last_hourly", "b/two/x@h2")
	w.must("zfs", "rollback", "-r", "b/two/x@h1")
}

// What a job sent itself, and the receiver destroyed before the job could hold
// what came after it, is not missing; nor is what it left out on purpose.
func TestOlderNotMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "snapshot", "a/x@s1")
	w.done("local", "mirror")
	for _, name := range []string{"s2", "s3", "s4"} {
		w.must("zfs", "snapshot", "a/x@"+name)
	}
	w.done("local", "mirror")
	// As a kill leaves it: all has arrived, and the holds are where they were.
	w.must("zfs", "hold", "zreplctl_local_mirror", "a/x@s1")
	w.must("zfs", "hold", "zreplctl_last_mirror", "b/mirror/x@s1")
	w.must("zfs", "release", "zreplctl_last_mirror", "b/mirror/x@s4")
	w.must("zfs", "destroy", "b/mirror/x@s2")
	w.must("zfs", "destroy", "b/mirror/x@s4") // the next base is amid what was under way
	w.must("zfs", "snapshot", "a/x@s5")
	w.done("local", "mirror")
	w.must("zfs", "list", "b/mirror/x@s5")
}

// The same over a connection, where a person has sent the newer one.
func TestOlderMissingRemote(t *testing.T) {
	for _, job := range [][3]string{{"pull", "fetch", "b/back/a/x"}, {"push", "pushit", "b/sink/pusher/a/x"}} {
		t.Run(job[0], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must("zfs", "create", "a/x")
			w.must("zfs", "snapshot", "a/x@s1")
			w.done(job[0], job[1])
			w.must("zfs", "snapshot", "a/x@s2")
			w.must("zfs", "snapshot", "a/x@s3")
			w.must("sh", "-c", "zfs send -L -i @s1 a/x@s3 | zfs receive -u "+job[2])
			w.must("zfs", "snapshot", "a/x@s4")
			for range 2 {
				if code, said := w.ctl(job[0], "-skip", "snapshot,prune", job[1]); code != 1 || !strings.Contains(said, "older-missing: the target lacks @s2 ") {
					t.Fatalf("exit status %d: %s", code, said)
				}
			}
			if code, said := w.ctl("forget", job[1], job[2]); code != 0 {
				t.Errorf("forget: exit status %d: %s", code, said)
			}
			w.done(job[0], job[1])
			w.must("zfs", "list", job[2]+"@s4")
			if held := strings.Join(w.holds(), "\n"); strings.Contains(held, "@s1 ") || strings.Contains(held, "@s3 ") {
				t.Errorf("still held:\n%s", held)
			}
		})
	}
}

// Pruning by any policy and by anybody leaves the conflict: the run after it
// says the same, until a person has decided. Only then the hold goes.
func TestOlderMissingPruned(t *testing.T) {
	for name, keep := range map[string]string{"not_replicated": "{type: not_replicated}", "last_n": "{type: last_n, count: 1}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.configure(`
global: {rundir: DIR/run}
jobs:
- {name: daily, type: local, mapping: {"a/x": b/two/x}, snapshot_prefix: d, prune_lhs: {keep: [` + keep + `]}}
`)
			w.write("c2.yml", strings.NewReplacer("CURSOR", "hold", "DIR", w.dir).Replace(hourly))
			w.must("zfs", "create", "b/two")
			w.must("zfs", "create", "a/x")
			w.overtaken()
			w.must("zfs", "snapshot", "a/x@d3")
			for range 2 {
				if code, said := w.ctl("local", "-skip", "snapshot", "daily"); code != 1 || !strings.Contains(said, "lacks @d2 of the source") {
					t.Fatalf("exit status %d: %s", code, said)
				}
			}
			w.must("zfs", "list", "a/x@d2")
			if out, err := w.command("zfs", "destroy", "a/x@d2").CombinedOutput(); err == nil {
				t.Errorf("@d2 is not held: %s", out)
			}
			if code, said := w.ctl("forget", "daily", "a/x"); code != 0 {
				t.Fatalf("forget: exit status %d: %s", code, said)
			}
			w.done("local", "daily")
			w.must("zfs", "destroy", "a/x@d2")
		})
	}
}
