package job_test

import (
	"testing"
	"time"
)

// TestRate limits a stream where it is sent: of a push here, of a pull by the
// source's own configuration.
func TestRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 3<<20)
	w.extend(`- name: slow_offer
  type: source
  serve: {type: stdinserver, client_identity: slow}
  datasets: {"a/x": ok}
  rate: 1M
- name: slow_pull
  type: pull
  connect: {type: exec, command: [zreplctl, -config, ` + w.path("c.yml") + `, serve, slow]}
  mapping: {"a/x": b/slow}
- name: slow_push
  type: push
  connect: {type: exec, command: [zreplctl, -config, ` + w.path("c.yml") + `, serve, slow_pusher]}
  datasets: {"a/x": ok}
  rate: 1M
- name: slow_sink
  type: push-sink
  serve: {type: stdinserver, client_identity: slow_pusher}
  root: b/sink/slow
`)
	w.snapshot("s1")
	for job, kind := range map[string]string{"slow_pull": "pull", "slow_push": "push"} {
		begin := time.Now()
		w.done(kind, job)
		if took := time.Since(begin); took < 2*time.Second {
			t.Errorf("%s took %v", job, took)
		}
	}
	w.must("zfs", "list", "-t", "snapshot", "b/slow@s1", "b/sink/slow/a/x@s1")
}
