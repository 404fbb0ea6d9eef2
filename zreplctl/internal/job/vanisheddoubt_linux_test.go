package job_test

import (
	"strings"
	"testing"
)

// TestVanishedJunk: that most copies have lost their sources is not believed later
// because other datasets came, until there are fewer that have.
func TestVanishedJunk(t *testing.T) {
	for _, by := range vanishedBy {
		t.Run(by[0], func(t *testing.T) {
			t.Parallel()
			kind, name, copied := by[0], by[1], by[2]
			w := newWorld(t)
			w.configure(vanishedJobs)
			for _, ds := range []string{"a/r1", "a/r2", "a/r3"} {
				w.must("zfs", "create", ds)
			}
			w.snapshot("s1")
			w.done(kind, name)
			stay := func() {
				t.Helper()
				if code, said := w.prunes(kind, name); code != 1 || !strings.Contains(said, "3 of the job's 4 copies") || !w.isThere(copied+"/r1") {
					t.Errorf("%d, %s", code, said)
				}
			}
			w.loseSources("a/r1", "a/r2", "a/r3")
			stay()
			for _, ds := range []string{"a/j1", "a/j2", "a/j3", "a/j4", "a/j5"} {
				w.must("zfs", "create", ds)
			}
			w.snapshot("s2")
			stay() // it brings them
			stay()
			if w.noted(name) {
				t.Error("it is counted")
			}
			w.goneFor(name, 50)
			stay()
			if code, said := w.ctl("forget", name, copied+"/r2"); code != 0 {
				t.Fatal(said)
			}
			if code, said := w.prunes(kind, name); code != 0 || !strings.Contains(said, "these copies go") || !w.isThere(copied+"/r1") {
				t.Errorf("two of four: %d, %s", code, said)
			}
		})
	}
}
