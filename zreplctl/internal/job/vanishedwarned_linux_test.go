package job_test

import (
	"strings"
	"testing"
)

// TestVanishedOldNote: a note from before its source was back lets no copy go, and one
// that is old lets none go at once.
func TestVanishedOldNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(strings.ReplaceAll(vanishedJobs, `{"a<": ok}`, `{"a<": ok, "a/old<": "!"}`))
	w.tree()
	w.must("zfs", "create", "a/old")
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.must("zfs", "rename", "a/z", "a/old/z")
	w.prunes("pull", "fetch")
	w.goneFor("fetch", 50)
	note := w.read("state/fetch.vanished")
	w.must("zfs", "rename", "a/old/z", "a/z")
	w.snapshot("s2")
	w.done("pull", "fetch")
	w.must("zfs", "rename", "a/z", "a/old/z")
	w.write("state/fetch.vanished", note)
	for range 2 {
		if code, said := w.prunes("pull", "fetch"); code != 0 || !w.isThere("b/fetch/z") || !strings.Contains(said, "these copies go") {
			t.Errorf("%d, there: %v, %s", code, w.isThere("b/fetch/z"), said)
		}
	}
}

// TestVanishedShorter: a time that was made shorter is shown before a copy goes.
func TestVanishedShorter(t *testing.T) {
	t.Parallel()
	w := vanishes(t, "local", "mirror")
	w.prunes("local", "mirror")
	w.goneFor("mirror", 30)
	w.prunes("local", "mirror") // it shows the day
	w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), "keep: 40d", "keep: 20d"))
	for range 2 {
		if code, said := w.prunes("local", "mirror"); code != 0 || !w.isThere("b/mirror/z") || !strings.Contains(said, "these copies go") {
			t.Errorf("%d, there: %v, %s", code, w.isThere("b/mirror/z"), said)
		}
	}
	w.goneFor("mirror", 30)
	if code, said := w.prunes("local", "mirror"); code != 0 || w.isThere("b/mirror/z") {
		t.Errorf("after it was shown: %d, %s", code, said)
	}
}
