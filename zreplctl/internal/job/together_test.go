package job_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// moved returns the holds and releases since it was last called, sorted.
func (w *world) moved() (all []string) {
	w.t.Helper()
	text, err := os.ReadFile(w.path("sim/log"))
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, "\t")
		command := strings.TrimPrefix(f[5], "zfs ")
		if verb, _, _ := strings.Cut(command, " "); f[0] == "exit" && (verb == "hold" || verb == "release") {
			all = append(all, command)
		}
	}
	w.write("sim/log", "")
	slices.Sort(all)
	return all
}

// TestHeldTogether: a run over datasets that were snapshotted together holds
// and releases whole subtrees, and never what is not the client's.
func TestHeldTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	for i := range 8 {
		w.must("zfs", "create", fmt.Sprintf("a/x/y/d%d", i))
	}
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.moved()
	w.snapshot("s2")
	w.done("pull", "fetch")
	w.equal("commands", w.moved(),
		"hold -r zreplctl_last_fetch b/back/a@s2", "hold -r zreplctl_source_me a/x@s2", "hold zreplctl_source_me a@s2 a/v@s2 a/z@s2",
		"release -r zreplctl_last_fetch b/back/a@s1", "release -r zreplctl_source_me a/x@s1", "release zreplctl_source_me a@s1 a/v@s1 a/z@s1")
	for _, h := range w.holds() {
		if strings.HasPrefix(h, "a/secret") || strings.Contains(h, "@s1") {
			t.Errorf("hold %q", h)
		}
	}
	// A run that was cut has held some of them: all are held in the end.
	w.snapshot("s3")
	w.must("zfs", "hold", "zreplctl_source_me", "a/x/y/d3@s3")
	w.done("pull", "fetch")
	if n := len(w.holds()); n != 2*13 {
		t.Errorf("holds: %q", w.holds())
	}
}
