package job_test

import (
	"strings"
	"testing"
)

// TestSelectUnreadable: a job whose select cannot be read is not known to be
// well, and the other jobs are shown as ever.
func TestSelectUnreadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(`
global: {rundir: DIR/run}
jobs:
- {name: mirror, type: local, mapping: {"a<": b/local}, select: {property: "zreplctl:backup=daily"}, snapshot_prefix: x_, interval: 1h}
- {name: plain, type: local, mapping: {"a<": b/plain}, snapshot_prefix: y_, interval: 1h}
`)
	w.must("zfs", "set", "zreplctl:backup=daily", "a")
	for _, name := range []string{"mirror", "plain"} {
		if code, out := w.ctl("local", name); code != 0 {
			t.Fatal(out)
		}
		w.says("before", name, "ok", 0, "")
	}
	w.write("sim/faults", "on=get match=zreplctl:backup from=1 fail message=cannot open 'a/x': I/O error\n")
	w.says("unreadable", "mirror", "failed", 3, "I/O error")
	w.says("unreadable", "plain", "ok", 0, "")
	if code, out := w.ctl("monitor"); code != 3 || strings.Contains(out, "plain: ") {
		t.Errorf("%d, %s", code, out)
	}
	if _, out := w.ctl("status"); !strings.Contains(out, "plain\tjob\t") || strings.Count(out, "\tfailed\t") != 1 {
		t.Error(out)
	}
	w.write("sim/faults", "")
	w.says("after", "mirror", "ok", 0, "")
}
