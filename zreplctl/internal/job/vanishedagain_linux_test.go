package job_test

import (
	"slices"
	"strings"
	"testing"
)

// TestVanishedAgain: a try that failed before anything was destroyed, or after, does not
// let a copy go that somebody takes a snapshot of to keep it.
func TestVanishedAgain(t *testing.T) {
	for _, n := range []string{"1", "3"} { // what is destroyed first, and the dataset itself
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			const z = "b/mirror/z"
			w := vanishes(t, "local", "mirror")
			w.prunes("local", "mirror")
			w.goneFor("mirror", 50)
			c := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot", "mirror")
			c.Env = append(c.Env, "ZFS_SIM_FAULTS=on=destroy n="+n+" fail=1 message=cannot destroy: permission denied")
			if out, err := c.CombinedOutput(); err == nil || !w.isThere(z) {
				t.Fatalf("it did not fail: %s", out)
			}
			w.must("zfs", "snapshot", z+"@rescue")
			before := w.everything()
			if code, said := w.prunes("local", "mirror"); code != 0 || !strings.Contains(said, "these copies go") {
				t.Errorf("its time does not begin anew: %d, %s", code, said)
			}
			w.goneFor("mirror", 50)
			for range 2 {
				if code, said := w.prunes("local", "mirror"); code != 1 || !strings.Contains(said, "its newest snapshot @rescue does not have the job's hold") {
					t.Errorf("%d, %s", code, said)
				}
			}
			if after := w.everything(); !slices.Equal(before, after) {
				t.Errorf("there was\n%s\nand is\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
			}
			w.must("zfs", "destroy", z+"@rescue")
			if w.prunes("local", "mirror"); w.isThere(z) { // it began anew
				w.goneFor("mirror", 50)
			}
			if code, said := w.prunes("local", "mirror"); code != 0 || w.isThere(z) {
				t.Errorf("without it: %d, %s", code, said)
			}
		})
	}
}

// TestVanishedRefilled: what a person writes into the dataset that is left if its
// snapshots went and it could not itself stays.
func TestVanishedRefilled(t *testing.T) {
	t.Parallel()
	const z = "b/mirror/z"
	w := vanishes(t, "local", "mirror")
	w.prunes("local", "mirror")
	w.goneFor("mirror", 50)
	c := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot", "mirror")
	c.Env = append(c.Env, "ZFS_SIM_FAULTS=on=destroy n=3 fail=1 message=cannot destroy: dataset is busy")
	if out, err := c.CombinedOutput(); err == nil || !w.isThere(z) {
		t.Fatalf("it did not fail: %s", out)
	}
	if left := w.must("zfs", "list", "-H", "-t", "snapshot", "-o", "name", z); left != "" {
		t.Fatalf("snapshots are left: %s", left)
	}
	w.ctl("activate", z)
	w.fill(z, 1<<20)
	w.ctl("activate", "-inert", z)
	for range 2 {
		if code, said := w.prunes("local", "mirror"); code != 1 || !w.isThere(z) || !strings.Contains(said, "something was written into it after its snapshots went") {
			t.Errorf("%d, %s", code, said)
		}
	}
}
