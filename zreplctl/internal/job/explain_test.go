package job_test

import (
	"strings"
	"testing"
)

// TestExplain: who asks why a snapshot would go does not lose it.
func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.extend(`
- {name: thin, type: prune, datasets: {"a/x": ok}, snapshot_prefix: s, shared_prefix: true, keep: [{type: last_n, count: 1}]}
`)
	w.snapshot("s1", "s2", "s3")
	names := []string{"a/x@s1", "a/x@s2", "a/x@s3"}
	code, said := w.ctl("prune", "-explain", "thin")
	for _, want := range []string{"destroy\t", "\ta/x@s1\n", "keep\t", "\ta/x@s3\n"} {
		if code != 0 || !strings.Contains(said, want) {
			t.Errorf("status %d, and nothing of %q: %s", code, want, said)
		}
	}
	w.equal("snapshots", w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "a/x"), names...)
	if code, said := w.ctl("prune", "thin"); code != 0 || said != "a/x@s1\na/x@s2\n" {
		t.Errorf("%d %s", code, said)
	}
}
