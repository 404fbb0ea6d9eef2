package job_test

import (
	"strings"
	"testing"
)

// TestVanishedElsewhere: a source of a local job that lives where the job's rules do not
// reach is not gone.
func TestVanishedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(strings.ReplaceAll(vanishedJobs, `{"a<": b/mirror}`, `{"a<": b/mirror, "a/old<": "!"}`))
	w.tree()
	w.must("zfs", "create", "a/old")
	w.snapshot("s1", "s2")
	w.done("local", "mirror")
	w.must("zfs", "rename", "a/z", "a/old/z")
	const why = `its source seems to be "a/old/z" now`
	if _, said := w.ctl("plan", "mirror"); !strings.Contains(said, why) {
		t.Errorf("plan: %s", said)
	}
	if code, said := w.prunes("local", "mirror"); code != 1 || !strings.Contains(said, why) || w.noted("mirror") {
		t.Errorf("%d, noted: %v, %s", code, w.noted("mirror"), said)
	}
}
