package job_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestRunRemembers: a second run with nothing to do lists no snapshot, on
// neither side, and a new snapshot is seen by the next.
func TestRunRemembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.env = []string{fmt.Sprintf("ZFS_SIM_CHANGED=%d", time.Now().Unix()-60)} // what has just changed is listed again
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.done("pull", "fetch")
	w.write("sim/log", "")
	w.done("pull", "fetch")
	text, err := os.ReadFile(w.path("sim/log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "-t snapshot") || !strings.Contains(string(text), "snapshots_changed") {
		t.Errorf("commands:\n%s", text)
	}
	w.env = nil
	w.snapshot("s2")
	w.done("pull", "fetch")
	if got := strings.Join(w.guids("b/back"), " "); strings.Count(got, "@s2") != 5 {
		t.Errorf("the copies have %s", got)
	}
}
