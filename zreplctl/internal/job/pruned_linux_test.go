package job_test

import (
	"os"
	"testing"
	"time"
)

// TestHealthPruner: a prune job that nobody runs any more is late, with and
// without limits of its own, and its pool is missed.
func TestHealthPruner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(`
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: tidy, type: prune, datasets: {"a/x<": ok}, snapshot_prefix: s, keep: [{type: last_n, count: 1}]}
- {name: often, type: prune, datasets: {"a/x<": ok}, snapshot_prefix: t, monitor: {warn: 1s, crit: 2s}, keep: [{type: last_n, count: 1}]}
`)
	w.must("zfs", "create", "a/x")
	monitor := func(what, job string, level int) {
		t.Helper()
		if code, line := w.ctl("monitor", job); code != level {
			t.Errorf("%s: %d, want %d: %s", what, code, level, line)
		}
	}
	monitor("it never ran, and nobody says when it should", "tidy", 0)
	monitor("it never ran, and has limits", "often", 1)
	for _, job := range []string{"tidy", "often"} {
		if code, said := w.ctl("prune", job); code != 0 {
			t.Fatal(code, said)
		}
	}
	monitor("it ran", "tidy", 0)
	time.Sleep(3 * time.Second)
	monitor("it did not run for 3 seconds", "often", 2)
	w.must("zpool", "export", "a")
	monitor("its pool is not imported", "tidy", 2)
	os.RemoveAll(w.path("state"))
	monitor("its pool is not imported, statedir lost", "tidy", 2)
}
