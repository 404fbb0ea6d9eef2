package job_test

import (
	"slices"
	"strings"
	"testing"
)

// One dataset, sent in three ways.
const promotedJobs = `
global: {rundir: DIR/run}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {OFFER}, snapshot_prefix: s, shared_prefix: true, cursor: CURSOR}
- {name: fetch, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a/x<": b/fetch/x}}
- {name: mirror, type: local, mapping: {"a/x<": b/mirror/x}, snapshot_prefix: s, shared_prefix: true, cursor: CURSOR}
- {name: sink, type: push-sink, serve: {type: stdinserver, client_identity: pusher}, root: b/sink}
- {name: pushit, type: push, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, pusher]}, datasets: {"a/x<": ok}, snapshot_prefix: s, shared_prefix: true, cursor: CURSOR}
`

// zfs promote moves the base to the clone. Nothing releases it there, so that a
// second promote makes all well. A bookmark stays where it is.
func TestPromoted(t *testing.T) {
	for _, cursor := range []string{"hold", "bookmark"} {
		for _, job := range [][3]string{{"pull", "fetch", "b/fetch/x"}, {"local", "mirror", "b/mirror/x"}, {"push", "pushit", "b/sink/a/x"}} {
			t.Run(cursor+"_"+job[0], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.configure(strings.NewReplacer("CURSOR", cursor, "OFFER", `"a/x<": ok`).Replace(promotedJobs))
				w.promoted(job, "a/x/n")
				if cursor == "bookmark" {
					w.done(job[0], job[1])
					w.must("zfs", "list", job[2]+"@s2")
					return
				}
				for _, next := range []string{"s3", "s4"} { // the second run looks for leftovers
					code, said := w.ctl(job[0], "-skip", "snapshot,prune", job[1])
					if code != 1 || !strings.Contains(said, "promoted: the base @s1 is a/x/n@s1 now: a clone was promoted on the source, or ") || !strings.Contains(said, "hint: on the source, if a clone was promoted: zfs promote SOURCE") {
						t.Errorf("exit status %d: %s", code, said)
					}
					w.must("zfs", "list", job[2]+"/n@s2") // the clone's own copy
					w.must("zfs", "snapshot", "a/x/n@"+next)
					w.aged(job[1])
				}
				w.movedBack(job)
			})
		}
	}
}

// The same if the job does not know the clone: its own rules leave it out, or
// those of the source.
func TestPromotedOutside(t *testing.T) {
	for name, offer := range map[string]string{"unmapped": `"a<": ok`, "not_offered": `"a/x<": ok`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.configure(strings.NewReplacer("CURSOR", "hold", "OFFER", offer).Replace(promotedJobs))
			job := [3]string{"pull", "fetch", "b/fetch/x"}
			w.promoted(job, "a/n")
			reason := map[string]string{"unmapped": "promoted: the base @s1 is a/n@s1 now: ", "not_offered": "unrelated: "}[name]
			for range 2 {
				if code, said := w.ctl("pull", "-skip", "snapshot,prune", "fetch"); code != 1 || !strings.Contains(said, reason) {
					t.Errorf("exit status %d: %s", code, said)
				}
				w.aged("fetch")
			}
			w.movedBack(job)
		})
	}
}

// promoted has a job replicate a/x, and promotes a clone of a newer snapshot.
func (w *world) promoted(job [3]string, clone string) {
	w.t.Helper()
	w.must("zfs", "create", "b/sink")
	w.must("zfs", "create", "a/x")
	w.fill("a/x", 1<<20)
	w.must("zfs", "snapshot", "a/x@s1")
	w.done(job[0], job[1])
	w.must("zfs", "snapshot", "a/x@other")
	w.must("zfs", "clone", "a/x@other", clone)
	w.must("zfs", "promote", clone)
	w.must("zfs", "snapshot", "a/x@s2")
	w.must("zfs", "snapshot", clone+"@s2")
}

// movedBack undoes promoted once nobody could destroy the base.
func (w *world) movedBack(job [3]string) {
	w.t.Helper()
	for _, name := range w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "a") {
		w.command("zfs", "destroy", name).Run() // as pruning does it
	}
	w.must("zfs", "snapshot", "a/x@s3")
	w.must("zfs", "promote", "a/x")
	w.done(job[0], job[1])
	if got := w.guids(job[2]); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "@s1") }) ||
		!slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "@s3") }) {
		w.t.Errorf("the copy has %q", got)
	}
}
