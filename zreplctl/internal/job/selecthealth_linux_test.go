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

// TestSelectReason: status says which value leaves a dataset out, before a run
// has failed for that and after it.
func TestSelectReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(selectJobs)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "a/y")
	w.must("zfs", "set", "zreplctl:backup=daily", "a")
	for _, j := range [][2]string{{"local", "mirror"}, {"push", "push"}} {
		if code, out := w.ctl(j[0], j[1]); code != 0 {
			t.Fatal(out)
		}
	}
	w.must("zfs", "set", "zreplctl:backup=never", "a/x")
	const why = `select leaves it out now: property zreplctl:backup: "never", set here`
	for _, j := range [][3]string{{"local", "mirror", "b/local/x"}, {"push", "push", "a/x"}} {
		for _, when := range []string{"before", "after"} {
			if _, out := w.ctl("status", j[1]); !strings.Contains(out, why) {
				t.Errorf("%s, %s a run: %s", j[1], when, out)
			}
			if code, out := w.ctl(j[0], j[1]); code != 1 || !strings.Contains(out, "not-offered") {
				t.Errorf("%s: %d, %s", j[1], code, out)
			}
		}
		if _, out := w.ctl("status", j[1]); !strings.Contains(out, why) || !strings.Contains(out, j[2]) {
			t.Errorf("%s, at last: %s", j[1], out)
		}
	}
}
