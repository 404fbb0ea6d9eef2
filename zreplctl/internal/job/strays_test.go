package job_test

import (
	"slices"
	"strings"
	"testing"
)

// A dataset that leaves the sending side's rules is let go of by a later run,
// and a bookmark keeps its place: when it comes back it goes on where it was.
func TestStrays(t *testing.T) {
	for _, job := range [][2]string{{"local", "mirror"}, {"pull", "fetch"}} {
		t.Run(job[1], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.snapshot("s1")
			w.done(job[0], job[1])
			w.must("zfs", "rename", "a/x/y", "a/secret/y")
			before := w.read("c.yml")
			w.write("c.yml", strings.ReplaceAll(before, `"a/x<": b/mirror/x`, `"a/x<": b/mirror/x, "a/secret<": "!"`))
			w.aged(job[1])
			code, said := w.ctl(job[0], "-skip", "snapshot,prune", job[1])
			if code != 1 || !strings.Contains(said, "not-offered") || !strings.Contains(said, "released 1 holds on datasets that have left") {
				t.Errorf("exit status %d: %s", code, said)
			}
			for _, h := range w.holds() {
				if strings.HasPrefix(h, "a/secret/y@") {
					t.Errorf("still held: %s", h)
				}
			}
			w.must("zfs", "snapshot", "a/secret/y@s2")
			w.must("zfs", "destroy", "a/secret/y@s1")
			if code, said := w.ctl("abandon", "-n", job[1]); code != 0 || job[1] == "mirror" && !strings.Contains(said, "a/secret/y#zreplctl_local_mirror_") ||
				job[1] == "fetch" && !strings.Contains(said, "1 more, of datasets outside") {
				t.Errorf("abandon -n: exit status %d: %s", code, said)
			}
			w.must("zfs", "rename", "a/secret/y", "a/x/y")
			w.done(job[0], job[1])
			target := map[string]string{"mirror": "b/mirror/x/y", "fetch": "b/back/a/x/y"}[job[1]]
			if got := w.guids(target); len(got) != 2 {
				t.Errorf("the copy has %q", got)
			}
			w.must("zfs", "rename", "a/x/y", "a/secret/y")
			if code, said := w.ctl("abandon", job[1]); code != 0 {
				t.Errorf("abandon: exit status %d: %s", code, said)
			}
			if left := slices.Concat(w.holds(), w.lines("zfs", "list", "-H", "-t", "bookmark", "-o", "name")); len(left) != 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// TestNarrowed: the next run after a job's own rules have left a dataset out
// releases what it held there, however short ago the last look at all holds was.
// A bookmark keeps the place for rules that are wide again.
func TestNarrowed(t *testing.T) {
	for _, c := range []struct{ kind, job, wide, narrow, source, target string }{
		{"pull", "fetch", `"a<": b/back/a}`, `"a<": b/back/a, "a/z": "!"}`, "a/z", "b/back/a/z"},
		{"local", "mirror", `"a/x<": b/mirror/x}`, `"a/x<": b/mirror/x, "a/x/y": "!"}`, "a/x/y", "b/mirror/x/y"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.snapshot("s1")
			w.done(c.kind, c.job)
			w.done(c.kind, c.job)
			w.replace(c.wide, c.narrow)
			if code, said := w.ctl(c.kind, "-skip", "snapshot,prune", c.job); code != 1 || !strings.Contains(said, "not-offered") {
				t.Errorf("exit status %d: %s", code, said)
			}
			if held := w.heldOf(c.source + "@"); len(held) > 0 {
				t.Errorf("still held: %q", held)
			}
			w.must("zfs", "snapshot", c.source+"@s2")
			w.must("zfs", "destroy", c.source+"@s1")
			w.replace(c.narrow, c.wide)
			w.done(c.kind, c.job)
			if got := w.guids(c.target); len(got) != 2 {
				t.Errorf("the copy has %q", got)
			}
		})
	}
}
