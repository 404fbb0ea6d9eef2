package job_test

import (
	"crypto/sha512"
	"fmt"
	"strings"
	"testing"
)

// TestZreplCopies: what zrepl has made goes on: its placeholders are received
// over by their own mark, and what stands below them stays where it is.
func TestZreplCopies(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"on", "hash"} {
		w := newWorld(t)
		w.tree()
		w.snapshot("s1")
		mark := how
		if how == "hash" {
			mark = fmt.Sprintf("%x", sha512.Sum512_256([]byte("b/back/a")))
		}
		w.must("zfs", "create", "-o", "mountpoint=none", "-o", "zrepl:placeholder=on", "b/back")
		w.must("zfs", "create", "-o", "mountpoint=none", "-o", "zrepl:placeholder="+mark, "b/back/a")
		w.must("sh", "-c", "zfs send a/x@s1 | zfs receive -u -o zrepl:placeholder=off b/back/a/x")
		w.must("sh", "-c", "zfs send a/z@s1 | zfs receive -u b/back/a/z") // the mark of a is inherited
		w.must("sh", "-c", "zfs send a/x/y@s1 | zfs receive -u b/back/a/x/y")
		w.must("zfs", "set", "readonly=on", "b/back/a/x", "b/back/a/z")
		before := w.must("zfs", "get", "-Hp", "-o", "value", "guid", "b/back/a/x", "b/back/a/z")
		w.snapshot("s2")
		w.done("pull", "fetch")
		for _, ds := range []string{"a/x", "a/z"} {
			w.same(ds, "b/back/"+ds)
		}
		if got := w.guids("b/back/a"); !strings.HasPrefix(got[0], "@s2\t") {
			t.Errorf("%s: b/back/a has %q", how, got)
		}
		if after := w.must("zfs", "get", "-Hp", "-o", "value", "guid", "b/back/a/x", "b/back/a/z"); after != before {
			t.Errorf("%s: the copies are not the same datasets any more: %s, and %s before", how, after, before)
		}
		w.equal(how+": marks", w.local("zrepl:placeholder", "b"), "b/back on", "b/back/a/x off")
		// As if it had been cut off before it took the mark away: without it
		// the copy could be received over once its snapshots are gone.
		w.must("zfs", "set", "zrepl:placeholder=on", "b/back/a")
		w.must("sh", "-c", "rm -f '"+w.path("run")+"'/*.tidy")
		w.snapshot("s3")
		w.done("pull", "fetch")
		w.same("a/x", "b/back/a/x")
		w.equal(how+": marks after a run that was cut off", w.local("zrepl:placeholder", "b"), "b/back on", "b/back/a/x off")
	}
}

// TestZreplMarkUsed: a mark alone is not enough for receiving over a dataset.
func TestZreplMarkUsed(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"no mountpoint": {"-o", "zrepl:placeholder=on"},
		"another hash":  {"-o", "mountpoint=none", "-o", "zrepl:placeholder=" + fmt.Sprintf("%x", sha512.Sum512_256([]byte("b/back/other")))},
		"off":           {"-o", "mountpoint=none", "-o", "zrepl:placeholder=off"},
	} {
		w := newWorld(t)
		w.tree()
		w.snapshot("s1")
		w.must("zfs", "create", "-o", "mountpoint=none", "-o", "zrepl:placeholder=on", "b/back")
		w.must(append(append([]string{"zfs", "create"}, options...), "b/back/a")...)
		code, said := w.ctl("pull", "-skip", "snapshot,prune", "fetch")
		if code != 1 || !strings.Contains(said, `cannot replicate "a" to "b/back/a": unrelated`) {
			t.Errorf("%s: %d %s", name, code, said)
		}
	}
}
