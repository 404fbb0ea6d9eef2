package job_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

const pushEnds = `
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- name: send
  type: push
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, pusher]}
  datasets: {"a/x<": ok}
  snapshot_prefix: s
- name: take
  type: push-sink
  serve: {type: stdinserver, client_identity: pusher}
  root: b/sink
`

// killed starts a run, kills it while a snapshot is sent, and waits for its end.
func (w *world) killed(kind, name, snapshot string) {
	w.t.Helper()
	w.write("sim/faults", "on=send match="+snapshot+" wait=1000000\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), kind, "-skip", "snapshot,prune", name)
	if err := run.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.find("zfs", " send ", snapshot)
	run.Process.Signal(syscall.SIGKILL)
	run.Wait()
	w.gone()
	os.Remove(w.path("sim/faults"))
}

// TestHealthFirstCut: the hold on a first stream that was cut is no arrival, and
// neither is the bookmark that a later run makes of it, on both kinds of senders.
func TestHealthFirstCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ config, kind, run, sends string }{{twoEnds, "pull", "fetch", "offer"}, {pushEnds, "push", "send", "send"}} {
		w := ends(t)
		w.configure(c.config)
		w.fill("a/x", 8<<20)
		w.taken(0, "s1")
		w.killed(c.kind, c.run, "a/x@s1")
		if holds := w.holds(); len(holds) == 0 {
			t.Fatal("nothing is held")
		}
		w.says("a first stream was cut", c.sends, "never", 2, "a/x")
		os.RemoveAll(w.path("state"))
		w.says("a first stream was cut, statedir lost", c.sends, "late", 3, "will be known after the client's next run")
		w.done(c.kind, c.run)
		w.says("it arrived", c.sends, "ok", 0, "")
		w.taken(0, "s2")
		w.done(c.kind, c.run)
		w.says("so did another", c.sends, "ok", 0, "")
		j := w.health(c.sends)
		if d := j.Datasets[0]; d.Snapshot != "s2" {
			t.Errorf("%+v", d)
		}
		// The copy is gone, and the stream that is to bring it anew is cut.
		target := map[string]string{"pull": "b/back/x", "push": "b/sink/a/x"}[c.kind]
		for _, hold := range w.holds() {
			if name, tag, _ := strings.Cut(hold, " "); strings.HasPrefix(name, target) {
				w.must("zfs", "release", tag, name)
			}
		}
		w.must("zfs", "destroy", "-r", target)
		w.killed(c.kind, c.run, "a/x@s2")
		w.says("the copy was lost, and the next was cut", c.sends, "never", 2, "a/x")
	}
}
