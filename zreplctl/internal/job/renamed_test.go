package job_test

import (
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
