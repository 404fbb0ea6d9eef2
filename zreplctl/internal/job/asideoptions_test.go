package job_test

import (
	"slices"
	"strings"
	"testing"
)

// TestAsideEncryption: a tree of which one dataset is made anew with encryption, and
// one without, has nothing in common with its copy, whatever the send options were.
func TestAsideEncryption(t *testing.T) {
	for _, job := range asideBy {
		t.Run(job[0], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.asideJobs(asideAll)
			w.must("zfs", "create", "a/x")
			w.must("zfs", "create", "a/x/plain")
			w.underKey("a/x/secret")
			w.must("zfs", "snapshot", "-r", "a@s1")
			w.done(job[0], job[1])
			for _, ds := range []string{"a/x/plain", "a/x/secret", "a/x"} {
				w.release(ds)
			}
			w.must("zfs", "destroy", "-r", "a/x")
			w.must("zfs", "create", "a/x")
			w.underKey("a/x/plain")
			w.must("zfs", "create", "a/x/secret")
			w.must("zfs", "snapshot", "-r", "a@s2")
			before, copied := w.allGUIDs(), job[2]+"/x"
			to := aside(copied, "unrelated")
			w.done(job[0], job[1])
			w.kept(before)
			for _, ds := range []string{"", "/plain", "/secret"} {
				w.must("zfs", "list", to+ds+"@s1")
				w.sameGUID("a/x"+ds+"@s2", copied+ds+"@s2")
			}
			if got := w.lines("zfs", "get", "-Ho", "value", "encryption", copied+"/plain", copied+"/secret"); got[0] == "off" || got[1] != "off" {
				t.Errorf("encryption is %q", got)
			}
			if held := w.holds(); slices.ContainsFunc(held, func(h string) bool { return strings.HasPrefix(h, to) }) {
				t.Errorf("%q", held)
			}
		})
	}
}
