package job_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// createdAt takes a snapshot of a dataset and all below that says that it was
// created at a time, in seconds since 1970.
func (w *world) createdAt(when int64, name string) {
	w.t.Helper()
	c := w.command("zfs", "snapshot", "-r", name)
	c.Env = append(c.Env, fmt.Sprintf("ZFS_SIM_NOW=%d", when))
	if out, err := c.CombinedOutput(); err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
}

// TestYear10000: a source cannot bring a snapshot whose date nobody can write,
// and one that is here, by the clock or by hand, blinds no display: all
// jobs are shown, and told of.
func TestYear10000(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{300_000_000_000, -1} { // that ZFS prints as 2^64-1
		w := ends(t)
		w.configure(strings.Replace(twoEnds, "statedir: DIR/state", `statedir: DIR/state, notify: [{command: [sh, -c, "cat >>DIR/told"]}]`, 1))
		w.taken(time.Minute, "s1")
		w.copied()
		w.ctl("notify")
		w.createdAt(at, "a/x@s2")
		w.createdAt(at, "a/m@s2")
		if code, said := w.ctl("pull", "-skip", "prune", "fetch"); code != 1 || !strings.Contains(said, "after the year 9999") {
			t.Errorf("%d: pull: %d %s", at, code, said)
		}
		w.done("local", "mirror")
		code, said := w.ctl("status", "-json")
		if code != 0 || strings.Count(said, `"type"`) != 2*3 || !strings.Contains(said, "9999-12-31T23:59:59Z") {
			t.Errorf("%d: status -json: %d %s", at, code, said)
		}
		code, said = w.ctl("monitor")
		if code != 1 || !strings.Contains(said, "292 years in the future") {
			t.Errorf("%d: monitor: %d %s", at, code, said)
		}
		os.Remove(w.path("told"))
		w.ctl("notify")
		if text, err := os.ReadFile(w.path("told")); err != nil || !strings.Contains(string(text), "mirror") {
			t.Errorf("%d: told %q, %v", at, text, err)
		}
		c := w.command("zsnap", "-prefix", "s", "-r", "-if-older", "1h", "a/m")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%d: zsnap: %v: %s", at, err, out)
		}
	}
}
