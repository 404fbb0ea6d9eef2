package job_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// TestVanishedListed: a source that has a name under which it cannot be replicated, or
// of which only a bookmark is left, is not gone.
func TestVanishedListed(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"to where another goes": func(w *world) { w.must("zfs", "rename", "a/z", "a/c/k") },
		"beyond the mapping with a bookmark": func(w *world) {
			w.must("zfs", "bookmark", "a/z@s1", "a/z#mark")
			w.must("zfs", "rename", "a/z", "a/c/z")
			w.release("a/c/z")
			w.must("zfs", "destroy", "a/c/z@s1")
		},
		"too long": func(w *world) { w.must("zfs", "rename", "a/z", "a/"+strings.Repeat("n", 245)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.configure(strings.Replace(vanishedJobs, `mapping: {"a<": b/fetch}`, `mapping: {"a<": b/fetch, "a/c<": "!", "a/c/k<": b/fetch/k}`, 1))
			w.tree()
			w.must("zfs", "create", "a/k")
			w.must("zfs", "create", "a/c")
			w.snapshot("s1")
			w.done("pull", "fetch")
			change(w)
			for range 2 {
				if _, said := w.prunes("pull", "fetch"); strings.Contains(said, `"b/fetch/z" on 2`) || w.noted("fetch") {
					t.Errorf("it is to go: %s", said)
				}
			}
		})
	}
}

// TestVanishedBarred: a copy that somebody needed on its day is shown again for a while
// before it goes: who held it may just have begun to look.
func TestVanishedBarred(t *testing.T) {
	t.Parallel()
	const z = "b/mirror/z"
	w := vanishes(t, "local", "mirror")
	w.prunes("local", "mirror")
	w.goneFor("mirror", 50)
	newest := w.lines("zfs", "list", "-Ho", "name", "-t", "snapshot", z)
	held := newest[len(newest)-1]
	w.must("zfs", "hold", "zreplctl_restore_mirror:a:back", held)
	if code, said := w.prunes("local", "mirror"); code != 1 || !strings.Contains(said, "zreplctl_restore_mirror:a:back") {
		t.Errorf("held: %d, %s", code, said)
	}
	w.must("zfs", "release", "zreplctl_restore_mirror:a:back", held)
	for range 2 {
		if code, said := w.prunes("local", "mirror"); code != 0 || !w.isThere(z) || !strings.Contains(said, "these copies go") {
			t.Errorf("released: %d, %s", code, said)
		}
	}
	w.goneFor("mirror", 50)
	if code, said := w.prunes("local", "mirror"); code != 0 || w.isThere(z) {
		t.Errorf("in the end: %d, %s", code, said)
	}
}

// TestVanishedActivated: a copy that is activated while its snapshots go stays, with what
// was written into it.
func TestVanishedActivated(t *testing.T) {
	t.Parallel()
	const z = "b/mirror/z"
	w := vanishes(t, "local", "mirror")
	w.prunes("local", "mirror")
	w.goneFor("mirror", 50)
	zfs := w.command("zfs").Path
	if err := os.Mkdir(w.path("wrapped"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := simhost.WriteProgram(w.path("wrapped/zfs"), fmt.Sprintf("#!/bin/sh\n"+
		`case "$*" in "destroy "*%[3]s@*) mkdir %[1]s/once 2>/dev/null && zreplctl -config %[1]s/c.yml activate %[3]s;; esac >&2`+"\nexec %[2]s \"$@\"\n", w.dir, zfs, z))
	if err != nil {
		t.Fatal(err)
	}
	c := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot", "mirror")
	c.Env = append(c.Env, "ZREPL_ZFS="+w.path("wrapped/zfs"))
	out, err := c.CombinedOutput()
	if _, begun := os.Stat(w.path("once")); begun != nil {
		t.Fatalf("no snapshot was destroyed: %s", out)
	}
	if err == nil || !w.isThere(z) || !strings.Contains(string(out), "its snapshots went, and it stays") {
		t.Errorf("%v: %s", err, out)
	}
}
