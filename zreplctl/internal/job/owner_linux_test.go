package job

import (
	"errors"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// TestNamelessRun: a client that names no job is let in, and does not make the
// host forget whose the identity is, whatever is left of its notes.
func TestNamelessRun(t *testing.T) {
	rundir, kept := t.TempDir(), state.In(t.TempDir())
	enter := func(job, run string) error {
		t.Helper()
		c := &clientLock{rundir: rundir, client: "one", state: kept}
		err := c.take(t.Context(), job, run)
		if c.file != nil {
			c.file.Close()
		}
		return err
	}
	for _, step := range []struct {
		job, run string
		second   bool
	}{{"a", "1", false}, {"b", "2", true}, {"", "3", false}, {"b", "4", true}, {"a", "5", false}, {"", "6", false}, {"b", "7", true}} {
		err := enter(step.job, step.run)
		if got := errors.As(err, new(*secondJobError)); got != step.second || err != nil && !got {
			t.Errorf("run %s of job %q: %v", step.run, step.job, err)
		}
		if step.run == "5" {
			rundir = t.TempDir() // as after a boot
		}
	}
}
