package job_test

import (
	"slices"
	"strings"
	"testing"
)

// takeBase leaves a job's copy of a/x without its base, which a/y has then. Next is
// the newest snapshot of both.
var takeBase = map[string]func(w *world, copied, next string){
	"renamed": func(w *world, _, next string) {
		w.must("zfs", "rename", "a/x", "a/y")
		w.must("zfs", "create", "a/x")
		w.fill("a/x", 1000)
		w.must("zfs", "snapshot", "-r", "a@"+next)
	},
	"clone": func(w *world, _, next string) {
		w.must("zfs", "snapshot", "a/x@other")
		w.must("zfs", "clone", "a/x@other", "a/y")
		w.must("zfs", "promote", "a/y")
		w.must("zfs", "snapshot", "-r", "a@"+next)
	},
	"rollback": func(w *world, copied, next string) {
		w.fill("a/x", 3000)
		w.must("zfs", "snapshot", "-r", "a@s2")
		w.done("local", "mirror")
		w.release("a/x")
		w.must("zfs", "rollback", "-r", "a/x@s1")
		w.must("sh", "-c", "zfs send "+copied+"@s2 | zfs receive -u a/y")
		w.must("zfs", "snapshot", "-r", "a@"+next)
	},
}

// TestAsidePromoted: a copy whose base another dataset of the source has is set
// aside as what it is without that, and the source's hold on that base goes.
func TestAsidePromoted(t *testing.T) {
	for how, reason := range map[string]string{"renamed": "unrelated", "clone": "unrelated", "rollback": "diverged"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.asideJobs("recv: {renamed: follow, conflict: {" + reason + ": rename}}")
			w.must("zfs", "create", "a/x")
			w.fill("a/x", 3000)
			w.must("zfs", "snapshot", "-r", "a@s1")
			w.done("local", "mirror")
			copied := "b/mirror/x"
			takeBase[how](w, copied, "s3")
			before, to := w.allGUIDs(), aside(copied, reason)
			if code, said := w.ctl("plan", "mirror"); code != 0 || !strings.Contains(said, "the copy is set aside as \""+to+"\", and a new one begins: promoted: ") {
				t.Errorf("exit status %d: %s", code, said)
			}
			if said := w.done("local", "mirror"); !strings.Contains(said, "as \""+to+"\": "+reason) {
				t.Errorf("%s", said)
			}
			w.kept(before)
			w.must("zfs", "list", to+"@s1")
			w.sameGUID("a/x@s3", copied+"@s3")
			w.sameGUID("a/y@s3", "b/mirror/y@s3")
			for _, h := range w.holds() {
				if !strings.Contains(h, "@s3 ") {
					t.Errorf("left: %s", h)
				}
			}
			if said := w.done("local", "mirror"); strings.Contains(said, "aside") {
				t.Errorf("%s", said)
			}
		})
	}
}

// TestAsidePromotedStays: where such a copy may not be set aside, its base is held.
func TestAsidePromotedStays(t *testing.T) {
	for name, recv := range map[string]string{"not asked": "recv: {conflict: {modified: rename}}", "below": asideAll} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.asideJobs(recv)
			w.must("zfs", "create", "a/x")
			w.must("zfs", "create", "a/x/n")
			w.must("zfs", "snapshot", "-r", "a@s1")
			w.done("local", "mirror")
			w.must("zfs", "snapshot", "a/x@other")
			w.must("zfs", "clone", "a/x@other", "a/y")
			w.must("zfs", "promote", "a/y")
			w.must("zfs", "snapshot", "-r", "a@s3")
			for range 2 { // the second run looks for leftovers
				code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
				if code != 1 || !strings.Contains(said, "promoted: the base @s1 is a/y@s1 now: ") {
					t.Errorf("exit status %d: %s", code, said)
				}
				if stays := strings.Contains(said, `"b/mirror/x/n" below it would move along`); stays != (name == "below") {
					t.Errorf("%s", said)
				}
				w.aged("mirror")
			}
			if held := w.holds(); !slices.ContainsFunc(held, func(h string) bool { return strings.HasPrefix(h, "a/y@s1 ") }) {
				t.Errorf("the base is not held: %q", held)
			}
			w.must("zfs", "promote", "a/x")
			w.done("local", "mirror")
			w.sameGUID("a/x@s3", "b/mirror/x@s3")
		})
	}
}
