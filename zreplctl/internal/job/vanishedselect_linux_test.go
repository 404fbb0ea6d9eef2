package job_test

import (
	"strings"
	"testing"
)

// TestVanishedSelect: a source that chooses its datasets by a property says of one that
// was destroyed that it does not exist, and of one that it no longer offers nothing of
// the kind.
func TestVanishedSelect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(strings.Replace(vanishedJobs, `datasets: {"a<": ok}`, `datasets: {"a<": ok}, select: {property: "zreplctl:backup=daily"}`, 1))
	w.tree()
	w.must("zfs", "set", "zreplctl:backup=daily", "a")
	w.snapshot("s1", "s2")
	w.done("pull", "fetch")
	w.loseSources("a/z")
	w.must("zfs", "set", "zreplctl:backup=no", "a/x")
	w.prunes("pull", "fetch")
	w.goneFor("fetch", 50)
	code, said := w.prunes("pull", "fetch")
	if w.isThere("b/fetch/z") {
		t.Errorf("the copy of what was destroyed stays: %d, %s", code, said)
	}
	if !w.isThere("b/fetch/x") {
		t.Errorf("the copy of what exists goes: %d, %s", code, said)
	}
}
