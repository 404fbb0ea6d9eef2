package job_test

import (
	"fmt"
	"strings"
	"testing"
)

// A copy that vanished is sent anew, as the initial policy says, and the run
// that begins it says so: it is well again afterwards, and nobody would know.
func TestCopyVanished(t *testing.T) {
	for _, policy := range []string{"most_recent", "all"} {
		for _, j := range active {
			if policy == "all" && j.kind != "local" {
				continue
			}
			t.Run(policy+"_"+j.kind, func(t *testing.T) {
				t.Parallel()
				w := newCopies(t)
				w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), "{name: "+j.job+",", "{name: "+j.job+", initial_repl_policy: "+policy+","))
				warning := fmt.Sprintf("warning: the copy %q is gone; sending it anew", j.copy)
				w.snapshot("s1", "s2")
				if said := w.done(j.kind, j.job); strings.Contains(said, "anew") {
					t.Errorf("the first run: %s", said)
				}
				w.release(j.copy)
				w.must("zfs", "destroy", "-r", j.copy)
				if said := w.done(j.kind, j.job); strings.Count(said, "anew") != 1 || !strings.Contains(said, warning) {
					t.Errorf("the run that begins it: %s", said)
				}
				if said := w.done(j.kind, j.job); strings.Contains(said, "anew") {
					t.Errorf("the run after: %s", said)
				}
				w.showsAnew(j.job, j.copy)
				if got := len(w.guids(j.copy)); got != map[string]int{"most_recent": 1, "all": 2}[policy] {
					t.Errorf("%d snapshots: %q", got, w.guids(j.copy))
				}
				w.release(j.copy)
				w.must("zfs", "destroy", "-r", j.copy)
				w.must("zfs", "snapshot", "a/in/y@s3")
				if said := w.done(j.kind, j.job); strings.Count(said, "anew") != 1 {
					t.Errorf("gone again: %s", said)
				}
			})
		}
	}
}

// showsAnew checks that who did not see the run's output learns of it.
func (w *world) showsAnew(job, copy string) {
	w.t.Helper()
	history := "these copies were gone and were sent anew: " + fmt.Sprintf("%q", copy)
	for command, want := range map[string]string{"status -v": "the copy was gone and was sent anew ", "log": history, "log -json": `"note":"these copies were gone`,
		"status -json": `"anew":"`, "report": "these copies were gone and were sent anew"} {
		args := append(strings.Fields(command), job)
		if args[0] == "report" {
			args = args[:1]
		}
		if _, said := w.ctl(args...); strings.Count(said, want) < 1 || command == "log" && strings.Count(said, want) != 1 {
			w.t.Errorf("%s does not say %q: %s", command, want, said)
		}
	}
}
