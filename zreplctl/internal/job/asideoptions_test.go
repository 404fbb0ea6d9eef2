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

// TestAsideKeyStays: a copy that has the key of a raw copy above it stays until it
// has one of its own.
func TestAsideKeyStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.asideJobs(asideAll)
	w.underKey("a/x")
	w.must("zfs", "create", "a/x/n")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.done("local", "mirror")
	copied := "b/mirror/x/n"
	for _, ds := range []string{"b/mirror/x", copied} {
		w.must("zfs", "load-key", "-L", "file://"+w.path("key"), ds)
	}
	w.must("zfs", "change-key", "-i", copied)
	w.release("a/x/n")
	w.must("zfs", "destroy", "-r", "a/x/n")
	w.must("zfs", "create", "a/x/n")
	w.must("zfs", "snapshot", "-r", "a@s2")
	why := `the copy is not set aside: "` + copied + `" has the key of the raw copy "b/mirror/x"`
	for _, args := range [][]string{{"plan", "mirror"}, {"local", "-skip", "snapshot,prune", "mirror"}} {
		if code, said := w.ctl(args...); !strings.Contains(said, why) || args[0] == "local" && code != 1 {
			t.Errorf("exit status %d: %s", code, said)
		}
	}
	w.must("zfs", "change-key", "-o", "keyformat=raw", "-o", "keylocation=file://"+w.path("key"), copied)
	w.done("local", "mirror")
	w.must("zfs", "list", aside(copied, "unrelated")+"@s1", copied+"@s2")
}
