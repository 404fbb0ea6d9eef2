package job_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The ways to send a/x, and the tags of their cursors.
var keptJobs = []struct{ kind, name, target, tag string }{
	{"pull", "fetch", "b/back/a/x", "zreplctl_source_me"},
	{"local", "mirror", "b/mirror/x", "zreplctl_local_mirror"},
	{"push", "pushit", "b/sink/pusher/a/x", "zreplctl_push_pushit"},
}

// keptDue says that bases were last kept a while ago.
func (w *world) keptDue(tag string, ago time.Duration) {
	w.write("run/"+tag+".kept", fmt.Sprintln(time.Now().Add(-ago).Unix()))
}

// movedOn has the base move on, to a snapshot with this name.
func (w *world) movedOn(kind, job, name string) {
	w.t.Helper()
	w.must("zfs", "snapshot", "a/x@"+name)
	w.done(kind, job)
}

// isKept compares the bookmarks with those of these snapshots as earlier bases.
func (w *world) isKept(what string, guids map[string]string, want ...string) {
	w.t.Helper()
	var names []string
	for _, name := range want {
		names = append(names, guids[name])
	}
	got := w.lines("zfs", "list", "-H", "-t", "bookmark", "-o", "name")
	slices.Sort(got)
	w.equal(what, got, names...)
}

// A sender that holds its bases keeps three earlier ones as bookmarks, now and
// then. A receiver that was rolled back to one of them goes on from there.
func TestKeptBases(t *testing.T) {
	for _, job := range keptJobs {
		t.Run(job.kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.extend(`- {name: thin, type: prune, datasets: {"a/x": ok}, snapshot_prefix: s, shared_prefix: true, keep: [{type: last_n, count: 1}]}
`)
			w.must("zfs", "create", "b/sink")
			w.must("zfs", "create", "b/sink/pusher")
			w.must("zfs", "create", "a/x")
			w.fill("a/x", 100_000)
			guids := map[string]string{}
			on := func(name string, ago time.Duration) {
				t.Helper()
				w.keptDue(job.tag, ago)
				w.movedOn(job.kind, job.name, name)
				guids[name] = fmt.Sprintf("a/x#%s:%016x", job.tag, uint64(w.guid("a/x@"+name)))
			}
			for _, name := range []string{"s1", "s2"} {
				w.movedOn(job.kind, job.name, name)
			}
			w.isKept("kept in the first hours", guids)
			for _, name := range []string{"s3", "s4", "s5", "s6"} {
				on(name, 5*time.Hour)
			}
			w.isKept("kept", guids, "s3", "s4", "s5")
			on("s7", 3*time.Hour)
			w.isKept("kept too early", guids, "s3", "s4", "s5")
			w.keptDue(job.tag, 5*time.Hour)
			w.done(job.kind, job.name)
			w.isKept("kept though nothing moved", guids, "s3", "s4", "s5")

			// What was kept is not the beginning of a chain that is under way.
			w.must("zfs", "snapshot", "a/x@s7a")
			w.must("zfs", "snapshot", "a/x@s7b")
			on("s8", 5*time.Hour)
			w.isKept("kept", guids, "s4", "s5", "s7")
			if code, said := w.ctl("prune", "thin"); code != 0 {
				t.Fatalf("exit status %d: %s", code, said)
			}
			if left := w.guids("a/x"); len(left) != 1 || !strings.HasPrefix(left[0], "@s8") {
				t.Errorf("pruning left %q", left)
			}

			// The receiver goes back.
			for _, h := range w.heldOf(job.target + "@") {
				name, tag, _ := strings.Cut(h, " ")
				w.must("zfs", "release", tag, name)
			}
			w.must("zfs", "rollback", "-r", job.target+"@s7")
			on("s9", time.Hour)
			w.must("zfs", "list", job.target+"@s8", job.target+"@s9")

			if code, said := w.ctl("abandon", job.name); code != 0 {
				t.Errorf("abandon: exit status %d: %s", code, said)
			}
			w.isKept("left", guids)
		})
	}
}
