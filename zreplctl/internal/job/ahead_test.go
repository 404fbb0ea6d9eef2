package job_test

import (
	"fmt"
	"strings"
	"testing"
)

// A receiver that refuses leaves no hold behind on the sender, run by run,
// but the one on the base.
func TestHoldsAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "a/x/y")
	refuse := func(words string) {
		w.write("sim/faults", "on=receive from=1 fail message=cannot receive: "+words+"\n")
	}
	for i := range 3 {
		refuse("permission denied")
		w.fill("a/x", 3000)
		w.snapshot(fmt.Sprintf("s%d", i))
		if code := w.tried("local", "mirror"); code != 1 {
			t.Errorf("exit status %d", code)
		}
		w.equal("holds while the first stream is refused", w.holds())
	}
	w.write("sim/faults", "")
	w.done("local", "mirror")
	held := w.holds()
	for i := range 3 {
		refuse("out of space")
		for n := range 3 { // no stream can bring two of them
			w.snapshot(fmt.Sprintf("other%d_%d", i, n), fmt.Sprintf("s1%d_%d", i, n))
		}
		if code := w.tried("local", "mirror"); code != 1 {
			t.Errorf("exit status %d", code)
		}
		w.equal("holds while an increment is refused", w.holds(), held...)
	}
	w.write("sim/faults", "")
	w.done("local", "mirror")
	w.equal("holds", w.holds(), "a/x@s12_2 zreplctl_local_mirror", "a/x/y@s12_2 zreplctl_local_mirror",
		"b/mirror/x@s12_2 zreplctl_last_mirror", "b/mirror/x/y@s12_2 zreplctl_last_mirror")
}

// What a killed run has held ahead goes with the next one, also where there
// is no base yet.
func TestHoldsOfKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.snapshot("s1", "s2", "s3", "s4")
	w.must("zfs", "hold", "zreplctl_local_mirror", "a/x@s1", "a/x@s2", "a/x@s3") // of three runs
	w.write("sim/faults", "on=receive from=1 fail message=cannot receive: permission denied\n")
	w.tried("local", "mirror")
	w.equal("holds", w.holds())
	w.write("sim/faults", "")
	w.done("local", "mirror")
	w.snapshot("s5", "s6")
	w.must("zfs", "hold", "zreplctl_local_mirror", "a/x@s5")
	w.aged("mirror")
	w.done("local", "mirror")
	w.equal("holds", w.holds(), "a/x@s6 zreplctl_local_mirror", "b/mirror/x@s6 zreplctl_last_mirror")
}

// Two disks that are the target in turn: each goes on where it was, though the
// source has destroyed the snapshot.
func TestDisksInTurn(t *testing.T) {
	for _, job := range []string{"mirror", "marks"} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must("zfs", "create", "a/x")
			n := 0
			run := func() {
				t.Helper()
				n++
				w.fill("a/x", 3000)
				w.snapshot(fmt.Sprintf("s%d", n))
				w.done("local", job)
				for _, line := range w.lines("zfs", "list", "-H", "-d", "1", "-t", "snapshot", "-o", "name", "a/x") {
					w.command("zfs", "destroy", line).Run() // what is not held
				}
			}
			target, away := "b/"+job, ""
			swap := func() {
				t.Helper()
				now := map[string]string{"": "b/one", "b/one": "b/two", "b/two": "b/one"}[away]
				w.must("zfs", "rename", target, now)
				if away != "" {
					w.must("zfs", "rename", away, target)
				}
				away = now
			}
			run()
			run()
			swap()
			for range 6 {
				run()
			}
			for i := range 4 {
				swap()
				w.must("zfs", "list", target+"/x")
				run()
				run()
				if got := w.guids(target + "/x"); len(got) < 3 || !strings.HasPrefix(got[len(got)-1], fmt.Sprintf("@s%d", n)) {
					t.Errorf("swap %d: the disk has %q", i, got)
				}
			}
			var marks []string
			for _, m := range w.lines("zfs", "list", "-H", "-t", "bookmark", "-o", "name", "-r", "a/x") {
				if !strings.Contains(m, "#zreplctl_local_"+job+"_") {
					t.Errorf("bookmark %s", m)
				}
				marks = append(marks, m)
			}
			if len(marks) > 6 {
				t.Errorf("%d bookmarks", len(marks))
			}
		})
	}
}
