package job_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestRate: all streams of a job share its rate, on the side that sends and on
// the one that receives, and within a host; and all jobs share that of global.
func TestRate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kind, job, global string }{
		"where a source sends":  {kind: "pull", job: "slow_pull"},
		"where a push sends":    {kind: "push", job: "slow_push"},
		"where a pull receives": {kind: "pull", job: "slow_get"},
		"where a sink receives": {kind: "push", job: "slow_put"},
		"within a host":         {kind: "local", job: "slow_local"},
		"of global":             {kind: "local", job: "fast_local", global: ", rate: 1M"},
		"of a window":           {kind: "local", job: "window_local"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.fill("a/x", 2<<20)
			w.must("zfs", "create", "a/y")
			w.fill("a/y", 2<<20)
			w.slow(c.global)
			w.snapshot("s1")
			begin := time.Now()
			w.done(c.kind, c.job)
			// Two streams of 2 MiB at 1 MiB a second, both at once.
			if took := time.Since(begin); took < 3500*time.Millisecond {
				t.Errorf("%s took %v", c.job, took)
			}
		})
	}
}

// slow adds jobs with a rate on one of their sides.
func (w *world) slow(global string) {
	exec := "{type: exec, command: [zreplctl, -config, " + w.path("c.yml") + ", serve, "
	w.extend(`
- {name: slow_offer, type: source, serve: {type: stdinserver, client_identity: slow}, datasets: {"a/x": ok, "a/y": ok}, rate: 1M}
- {name: slow_pull, type: pull, parallel: 2, connect: ` + exec + `slow]}, mapping: {"a/x": b/p/x, "a/y": b/p/y}}
- {name: fast_offer, type: source, serve: {type: stdinserver, client_identity: fast}, datasets: {"a/x": ok, "a/y": ok}}
- {name: slow_get, type: pull, parallel: 2, rate: 1M, connect: ` + exec + `fast]}, mapping: {"a/x": b/g/x, "a/y": b/g/y}}
- {name: slow_push, type: push, parallel: 2, rate: 1M, connect: ` + exec + `slow_pusher]}, datasets: {"a/x": ok, "a/y": ok}}
- {name: fast_sink, type: push-sink, serve: {type: stdinserver, client_identity: slow_pusher}, root: b/s}
- {name: slow_put, type: push, parallel: 2, connect: ` + exec + `slow_putter]}, datasets: {"a/x": ok, "a/y": ok}}
- {name: slow_sink, type: push-sink, rate: 1M, serve: {type: stdinserver, client_identity: slow_putter}, root: b/t}
- {name: slow_local, type: local, parallel: 2, rate: 1M, mapping: {"a/x": b/l/x, "a/y": b/l/y}}
- {name: fast_local, type: local, parallel: 2, mapping: {"a/x": b/f/x, "a/y": b/f/y}}
- {name: window_local, type: local, parallel: 2, rate: {"00:00-12:00": 1M, "12:00-00:00": 1M}, mapping: {"a/x": b/w/x, "a/y": b/w/y}}
`)
	w.replace("global: {rundir: "+w.path("run")+"}", "global: {rundir: "+w.path("run")+global+"}")
}

// replace changes a text of the configuration.
func (w *world) replace(old, fresh string) {
	w.t.Helper()
	text, err := os.ReadFile(w.path("c.yml"))
	if err != nil || !strings.Contains(string(text), old) {
		w.t.Fatalf("no %q in %s: %v", old, text, err)
	}
	w.write("c.yml", strings.Replace(string(text), old, fresh, 1))
}
