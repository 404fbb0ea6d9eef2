package job_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// newestWays copy a/x to b in three ways. Each prunes the source.
var newestWays = []struct{ kind, job, root, prune, jobs string }{
	{"pull", "fetch", "b/pull", "offer", `
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a/x<": ok}, snapshot_prefix: s, snapshots: {newest_only: true}, prune: {keep: [{type: not_replicated}]}}
- {name: fetch, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a<": b/pull}, snapshots: {regex: ^s, newest_only: true}}`},
	{"local", "mirror", "b/local", "mirror", `
- {name: mirror, type: local, mapping: {"a/x<": b/local/x}, snapshot_prefix: s, cursor: CURSOR, snapshots: {newest_only: true}, prune_lhs: {keep: [{type: not_replicated}]}}`},
	{"push", "push", "b/push/a", "push", `
- {name: taking, type: push-sink, serve: {type: stdinserver, client_identity: push}, root: b/push}
- {name: push, type: push, datasets: {"a/x<": ok}, snapshot_prefix: s, cursor: CURSOR, snapshots: {newest_only: true}, prune: {keep: [{type: not_replicated}]},
   connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, push]}}`},
}

// newest makes a world with the jobs of one way, and one that copies the copy.
func newest(t *testing.T, jobs, root, cursor string) *world {
	w := newWorld(t)
	w.configure(strings.ReplaceAll(`
global: {rundir: DIR/run, statedir: DIR/state}
jobs:`+jobs+`
- {name: onward, type: local, mapping: {"`+root+`/x<": b/third}, snapshots: {regex: ^s, newest_only: true}}
`, "CURSOR", cursor))
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "a/x/y")
	return w
}

// snapsOf are the short names of a dataset's snapshots, the oldest first.
func (w *world) snapsOf(ds string) string {
	w.t.Helper()
	var short []string
	for _, name := range w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-s", "createtxg", ds) {
		short = append(short, strings.TrimPrefix(name, ds+"@"))
	}
	return strings.Join(short, " ")
}

// TestNewestOnly: each run brings the newest snapshot in one step, what is passed
// over is pruned and missed by nobody, and a copy of the copy goes on from it.
func TestNewestOnly(t *testing.T) {
	for _, way := range newestWays {
		for _, cursor := range []string{"hold", "bookmark"} {
			if way.kind == "pull" && cursor == "bookmark" {
				continue
			}
			t.Run(way.kind+" "+cursor, func(t *testing.T) {
				t.Parallel()
				w := newest(t, way.jobs, way.root, cursor)
				copied := ""
				for round := range 3 {
					var all []string
					for i := range 4 {
						all = append(all, fmt.Sprintf("s%d%d", round, i))
						w.fill("a/x/y", 100_000)
						w.snapshot(all[i])
					}
					w.snapshot("other" + all[0])
					last := all[len(all)-1]
					before := w.snapsOf("a/x")
					w.write("sim/log", "")
					w.done(way.kind, way.job)
					for _, args := range w.logged("send") {
						if strings.Contains(args, " -I ") {
							t.Errorf("zfs %s", args)
						}
					}
					copied = strings.TrimSpace(copied + " " + last)
					for _, ds := range []string{"/x", "/x/y"} {
						if got := w.snapsOf(way.root + ds); got != copied {
							t.Errorf("round %d: %s has %s, want %s", round, way.root+ds, got, copied)
						}
						w.sameGUID("a"+ds+"@"+last, way.root+ds+"@"+last)
					}
					if round > 0 {
						w.done("local", "onward")
						if got := w.snapsOf("b/third"); !strings.HasSuffix(got, last) {
							t.Errorf("round %d: the third has %s", round, got)
						}
					}
					w.behindIs(way.job, 0)
					if code, out := w.ctl("prune", way.prune); code != 0 {
						t.Error(out)
					}
					// Nothing waits that was passed over, and nothing else goes.
					for _, name := range strings.Fields(before) {
						left := slices.Contains(strings.Fields(w.snapsOf("a/x")), name)
						if want := strings.HasPrefix(name, "other") || name == last; left != want {
							t.Errorf("round %d: @%s is left: %v; %s", round, name, left, w.snapsOf("a/x"))
						}
					}
					// Nor while the receiver is away.
					for i := range 3 {
						w.snapshot(fmt.Sprintf("s%d%d", round, 5+i))
					}
					if code, out := w.ctl("prune", way.prune); code != 0 {
						t.Error(out)
					}
					left := strings.Fields(w.snapsOf("a/x"))
					for i, want := range []bool{false, false, true} {
						if name := fmt.Sprintf("s%d%d", round, 5+i); slices.Contains(left, name) != want {
							t.Errorf("round %d: @%s: %v, want %v", round, name, left, want)
						}
					}
					if !slices.Contains(left, last) && cursor == "hold" {
						t.Errorf("round %d: the base is gone: %v", round, left)
					}
				}
			})
		}
	}
}

func (w *world) sameGUID(a, b string) {
	w.t.Helper()
	guid := func(name string) string { return w.must("zfs", "get", "-Hp", "-o", "value", "guid", name) }
	if guid(a) != guid(b) {
		w.t.Errorf("%s and %s differ", a, b)
	}
}

// behindIs looks at what status says that each copy lacks.
func (w *world) behindIs(job string, want int) {
	w.t.Helper()
	var seen struct {
		Jobs []struct {
			Name   string
			Health struct{ Datasets []struct{ Behind *int } }
		}
	}
	code, out := w.ctl("status", "-json", job)
	if i := strings.IndexByte(out, '{'); i < 0 || json.Unmarshal([]byte(out[i:]), &seen) != nil {
		w.t.Errorf("status: %d, %s", code, out)
	}
	for _, j := range seen.Jobs {
		for _, d := range j.Health.Datasets {
			if d.Behind != nil && *d.Behind != want {
				w.t.Errorf("%s: behind %d, want %d", job, *d.Behind, want)
			}
		}
	}
}

// TestNewestOnlyCut: a stream that was cut is finished, though its snapshot is no
// longer the newest, and the newest follows in the same run.
func TestNewestOnlyCut(t *testing.T) {
	for _, way := range newestWays {
		for name, first := range map[string]bool{"first": true, "later": false} {
			t.Run(way.kind+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newest(t, way.jobs, way.root, "hold")
				if !first {
					w.snapshot("s00")
					w.done(way.kind, way.job)
				}
				w.fill("a/x", 4<<20)
				w.snapshot("s01", "s02")
				for i := range 2 { // each day it moves on by a part
					w.write("sim/faults", fmt.Sprintf("on=send match=a/x@s02 cut=%d\non=send match=-t cut=1000000\n", 2000000))
					w.tried(way.kind, way.job)
					w.snapshot(fmt.Sprintf("s1%d", i))
					if code, out := w.ctl("prune", way.prune); code != 0 {
						t.Error(out)
					}
				}
				if w.token(way.root+"/x") == "-" {
					t.Fatal("nothing was cut")
				}
				w.write("sim/faults", "")
				w.write("sim/log", "")
				w.done(way.kind, way.job)
				want := "s02 s11"
				if !first {
					want = "s00 s02 s11"
				}
				if got := w.snapsOf(way.root + "/x"); got != want {
					t.Errorf("%s, want %s", got, want)
				}
				w.sameGUID("a/x@s11", way.root+"/x@s11")
				resumed := slices.ContainsFunc(w.logged("send"), func(args string) bool { return strings.Contains(args, "-t 1-") })
				if !resumed {
					t.Errorf("it was not resumed: %q", w.logged("send"))
				}
			})
		}
	}
}
