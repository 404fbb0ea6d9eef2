package job_test

import (
	"strings"
	"testing"
)

// TestAsideShared: of two jobs that receive into one tree, the one whose copy was set
// aside names it, and no other.
func TestAsideShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sameDay(t)
	w.configure(`
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: one, type: push-sink, serve: {type: stdinserver, client_identity: c1}, root: b/sink, shared_target: true, recv: {conflict: {unrelated: rename}}}
- {name: two, type: push-sink, serve: {type: stdinserver, client_identity: c2}, root: b/sink, shared_target: true, recv: {conflict: {unrelated: rename}}}
- {name: push1, type: push, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, c1]}, datasets: {"a/x<": ok}, snapshot_prefix: s, shared_prefix: true}
- {name: push2, type: push, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, c2]}, datasets: {"a/y<": ok}, snapshot_prefix: s, shared_prefix: true}
`)
	w.must("zfs", "create", "b/sink")
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "a/y")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("push", "push1")
	w.done("push", "push2")
	w.anew("a/x")
	w.must("zfs", "snapshot", "-r", "a@s2")
	w.done("push", "push1")
	w.done("push", "push2")
	to := aside("b/sink/a/x", "unrelated")
	_, said := w.ctl("status")
	if strings.Count(said, to) == 0 || strings.Contains(said, "it may be the only copy") || !strings.Contains(said, "zfs destroy -r "+to) {
		t.Errorf("%s", said)
	}
	if _, said := w.ctl("metrics"); !strings.Contains(said, `set_aside_copies{backup_job="one"`) {
		t.Errorf("%s", said)
	} else {
		for line := range strings.Lines(said) {
			if strings.HasPrefix(line, `zreplctl_job_set_aside_copies{backup_job="two"`) && !strings.HasSuffix(line, " 0\n") {
				t.Errorf("%s", line)
			}
		}
	}
}
