package job_test

import (
	"testing"
)

// TestUnsent prunes by not_replicated behind a first stream that was cut: the
// hold on what was being sent is no sign that the partner has anything.
func TestUnsent(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"hold", "bookmark"} {
		w := newWorld(t)
		w.must("zfs", "create", "a/x")
		w.fill("a/x", 1<<20)
		w.extend(`- name: unsent
  type: local
  mapping: {"a/x": b/unsent}
  snapshot_prefix: s
  cursor: ` + cursor + `
  prune_lhs: {keep: [{type: not_replicated}]}
`)
		w.snapshot("s1", "s2", "s3")
		w.write("sim/faults", "on=receive n=1 cut=400000\n")
		for _, args := range [][]string{{"local", "-skip", "snapshot", "unsent"}, {"prune", "unsent"}} {
			code, said := w.ctl(args...)
			t.Logf("%q: %d %s", args, code, said)
			w.equal("snapshots", w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "a/x"), "a/x@s1", "a/x@s2", "a/x@s3")
		}
		w.write("sim/faults", "")
		if code, said := w.ctl("local", "-skip", "snapshot", "unsent"); code != 0 {
			t.Errorf("%d %s", code, said)
		}
		w.equal("snapshots", w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "a/x"), "a/x@s3")
	}
}
