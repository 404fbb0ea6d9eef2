package job_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A run that is killed before or after any step of setting aside is completed by
// the next ones, and nothing is destroyed.
func TestAsideKilled(t *testing.T) {
	t.Parallel()
	for i, fault := range []string{"on=set match=zreplctl:aside kill=before", "on=set match=zreplctl:aside kill=after", "on=set match=readonly=on kill=after",
		"on=release match=zreplctl_last_ kill=before", "on=release match=zreplctl_last_ kill=after",
		"on=rename kill=before", "on=rename kill=after", "on=rename fail message=cannot rename 'b': dataset is busy", "on=receive kill=before", "on=receive kill=after"} {
		for _, job := range asideBy[1:] {
			t.Run(fmt.Sprint(job[0], i), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.asideJobs(asideAll)
				w.must("zfs", "create", "-p", "a/x/n")
				w.fill("a/x", 3000)
				w.must("zfs", "snapshot", "-r", "a@s1")
				w.done(job[0], job[1])
				w.spoil("unrelated", "")
				before, copied := w.allGUIDs(), job[2]+"/x"
				to := aside(copied, "unrelated")
				w.write("sim/faults", fault+"\n")
				run := w.command("zreplctl", "-config", w.path("c.yml"), job[0], "-skip", "snapshot,prune", job[1])
				run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it kills the group
				said, _ := run.CombinedOutput()
				w.waitFor("its programs end", func() bool { return len(w.processes()) == 0 })
				w.write("sim/faults", "")
				w.kept(before)
				if strings.Contains(fault, "fail") && !strings.Contains(string(said), "the copy is not set aside: ") {
					t.Errorf("%s", said)
				}
				for range 2 {
					w.tried(job[0], job[1])
					w.kept(before)
				}
				code, talk := w.ctl(job[0], "-skip", "snapshot,prune", job[1])
				if code != 0 {
					t.Errorf("exit status %d: %s", code, talk)
				}
				w.must("zfs", "list", to+"@s1", to+"/n@s1", copied+"@s2", copied+"/n@s2")
				if held := w.holds(); slices.ContainsFunc(held, func(h string) bool { return strings.HasPrefix(h, to) }) ||
					!slices.ContainsFunc(held, func(h string) bool { return strings.HasPrefix(h, copied+"@s2 zreplctl_last_") }) {
					t.Errorf("%q", held)
				}
				w.must("zfs", "destroy", "-r", to)
			})
		}
	}
}
