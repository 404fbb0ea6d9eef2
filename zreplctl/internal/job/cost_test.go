package job_test

import (
	"slices"
	"strings"
	"testing"
)

// slowLists counts the lists that ask about the holds of all snapshots.
func (w *world) slowLists() (n int) {
	for _, args := range w.logged("list") {
		if strings.Contains(args, "userrefs") {
			n++
		}
	}
	return n
}

// A hold that cannot be released fails each run, and no run looks through all
// holds for it again. When it can be, the next run releases it.
func TestReleaseFailsForGood(t *testing.T) {
	for end, name := range map[string]string{"sender": "a/x@s1", "receiver": "b/mirror/x@s1"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must("zfs", "create", "a/x")
			w.snapshot("s1")
			w.done("local", "mirror")
			w.write("sim/faults", "on=release match="+name+" from=1 fail message=cannot release hold from snapshot '"+name+"': permission denied\n")
			w.snapshot("s2")
			for range 2 { // the second one looks for what the first one left
				if code := w.tried("local", "mirror"); code != 1 {
					t.Errorf("exit status %d", code)
				}
			}
			for range 2 {
				w.write("sim/log", "")
				if code := w.tried("local", "mirror"); code != 1 || w.slowLists() != 0 {
					t.Errorf("exit status %d, %d slow lists", code, w.slowLists())
				}
			}
			w.write("sim/faults", "")
			w.done("local", "mirror")
			w.equal("holds", w.holds(), "a/x@s2 zreplctl_local_mirror", "b/mirror/x@s2 zreplctl_last_mirror")
		})
	}
}

// Rules that name datasets alone list nothing that is below these.
func TestExactRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(`
global: {rundir: DIR/run}
jobs:
- {name: one, type: local, mapping: {"a/x": b/one, "a/x/y/z": b/z}, snapshot_prefix: s}
`)
	w.must("zfs", "create", "-p", "a/x/y/z")
	for _, name := range []string{"s1", "s2", "s3"} {
		w.snapshot(name)
		w.write("sim/log", "")
		w.done("local", "one")
		for _, args := range w.logged("") {
			if words := strings.Fields(args); slices.Contains(words, "-r") && slices.Contains(words, "a/x") {
				t.Errorf("zfs %s", args)
			}
		}
		if name == "s2" { // the next run looks for leftovers
			w.aged("one")
		}
	}
	w.must("zfs", "list", "b/one@s3", "b/z@s3")
}
