package job_test

import (
	"strings"
	"testing"
)

// TestSeveralClients: one source job with two clients. Each has its cursor, and
// what one of them has not fetched yet stays: not_replicated waits for both,
// also before the second has ever come.
func TestSeveralClients(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"hold", "bookmark"} {
		w := newWorld(t)
		w.must("zfs", "create", "a/both")
		w.extend(`
- name: both
  type: source
  serve: {type: stdinserver, client_identities: [c1, c2]}
  datasets: {"a/both": ok}
  snapshot_prefix: both_
  cursor: ` + cursor + `
  keep: [{type: not_replicated}, {type: last_n, count: 1}]
- {name: p1, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, c1]}, mapping: {"a<": b/p1}, snapshot_prefix: both_, initial_repl_policy: all}
- {name: p2, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, c2]}, mapping: {"a<": b/p2}, snapshot_prefix: both_, initial_repl_policy: all}
`)
		take := func(names ...string) {
			for _, n := range names {
				w.must("zfs", "snapshot", "a/both@both_"+n)
			}
		}
		prune := func(want ...string) {
			t.Helper()
			code, said := w.ctl("prune", "both")
			if code != 0 {
				t.Errorf("prune: %d %s", code, said)
			}
			for i := range want {
				want[i] = "a/both@both_" + want[i]
			}
			w.equal(cursor+": snapshots", w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "a/both"), want...)
		}
		take("1", "2")
		w.done("pull", "p1")
		take("3")
		prune("1", "2", "3") // c2 has never come
		w.done("pull", "p2")
		take("4", "5")
		w.done("pull", "p1")
		take("6")
		w.done("pull", "p1")
		if cursor == "hold" { // c2 has nothing behind 3, which is its base
			prune("3", "4", "5", "6")
		} else {
			prune("4", "5", "6")
		}
		w.done("pull", "p2")
		if got := w.guids("b/p2/both"); len(got) != 6 {
			t.Errorf("%s: c2 has %q", cursor, got)
		}
		prune("6")
		_, said := w.ctl("holds", "both")
		for _, tag := range []string{"zreplctl_source_c1", "zreplctl_source_c2"} {
			if n := strings.Count(said, "\t"+tag+"\tboth\t"); n == 0 {
				t.Errorf("%s: nothing of %s in\n%s", cursor, tag, said)
			}
		}
		take("7")
		w.done("pull", "p1")
		w.done("pull", "p2")
	}
}
