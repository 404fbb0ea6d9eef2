package job_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// TestVanishedBack: a source that is back while the run moves other data keeps its copy.
func TestVanishedBack(t *testing.T) {
	for _, by := range vanishedBy {
		t.Run(by[0], func(t *testing.T) {
			t.Parallel()
			kind, name, z := by[0], by[1], by[2]+"/z"
			w := vanishes(t, kind, name)
			w.prunes(kind, name)
			w.goneFor(name, 50)
			w.snapshot("s4") // it moves
			zfs := w.command("zfs").Path
			if err := os.Mkdir(w.path("wrapped"), 0o700); err != nil {
				t.Fatal(err)
			}
			err := simhost.WriteProgram(w.path("wrapped/zfs"), fmt.Sprintf("#!/bin/sh\n"+
				`case "$1" in send) mkdir %[1]s/once 2>/dev/null && %[2]s create a/z;; esac`+"\nexec %[2]s \"$@\"\n", w.dir, zfs))
			if err != nil {
				t.Fatal(err)
			}
			c := w.command("zreplctl", "-config", w.path("c.yml"), kind, "-skip", "snapshot", name)
			c.Env = append(c.Env, "ZREPL_ZFS="+w.path("wrapped/zfs"))
			out, err := c.CombinedOutput()
			if err == nil || !w.isThere("a/z") || !w.isThere(z) || !strings.Contains(string(out), "is not now") {
				t.Errorf("%v, source: %v, copy: %v: %s", err, w.isThere("a/z"), w.isThere(z), out)
			}
		})
	}
}

// TestVanishedUnclear: a source of which the sender does not say plainly that it does
// not exist keeps its copy, though the list lacks it.
func TestVanishedUnclear(t *testing.T) {
	t.Parallel()
	w := vanishes(t, "pull", "fetch")
	w.prunes("pull", "fetch")
	w.goneFor("fetch", 50)
	w.write("c.yml", strings.Replace(w.read("c.yml"), `datasets: {"a<": ok}`, `datasets: {"a<": ok, "a/z": "!"}`, 1))
	for range 2 {
		if code, said := w.prunes("pull", "fetch"); code != 1 || !w.isThere("b/fetch/z") || !strings.Contains(said, `does not say that "a/z" does not exist`) {
			t.Errorf("%d, %s", code, said)
		}
	}
}
