package job_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStateSurvivesReboot: a boot empties the run directory, and what the runs
// have left is still known.
func TestStateSurvivesReboot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.write("c.yml", strings.ReplaceAll(strings.Replace(jobs, "{rundir: DIR/run}", "{rundir: DIR/run, statedir: DIR/state}", 1), "DIR", w.dir))
	if code, said := w.ctl("local", "mirror"); code != 0 {
		t.Fatal(code, said)
	}
	for _, name := range []string{"mirror.json", "mirror.bases"} {
		if _, err := os.Stat(w.path("state/" + name)); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(w.path("run/*.[jb]*")); len(left) > 0 {
		t.Errorf("in the run directory: %v", left)
	}
	before := w.shown("mirror")
	os.RemoveAll(w.path("run"))
	if after := w.shown("mirror"); before.Success == "" || after.Success != before.Success {
		t.Errorf("success was %q, and after a boot %q", before.Success, after.Success)
	}
}
