package job_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestFaceNewestFirst: a link that is down comes before what an earlier run saw
// of a dataset, in every face, and status -json has the run's own exit status.
func TestFaceNewestFirst(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.taken(time.Minute, "s1")
	w.copied()
	w.must("zfs", "snapshot", "b/back/x@own")
	w.must("zfs", "rollback", "b/back/x@own")
	w.must("zfs", "set", "readonly=off", "b/back/x")
	w.must("zfs", "set", "mountpoint=/bx", "b/back/x")
	w.must("zfs", "mount", "b/back/x")
	w.must("sh", "-c", "echo mine >\"$(zfs get -H -o value mountpoint b/back/x)/mine\"")
	w.must("zfs", "snapshot", "b/back/x@changed")
	w.taken(0, "s2")
	if code, said := w.ctl("pull", "fetch"); code != 1 || !strings.Contains(said, "diverged") {
		t.Fatal(code, said)
	}
	if status := w.shown("fetch").Last.Status; status != 1 {
		t.Errorf("a dataset failed: the run's status is %d", status)
	}
	w.write("ssh", "#!/bin/sh\necho no route to host >&2\nexit 255\n")
	if err := os.Chmod(w.path("ssh"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.configure(strings.ReplaceAll(twoEnds, "{type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}", "{type: ssh+stdinserver, host: h.invalid}"))
	c := w.command("zreplctl", "-config", w.path("c.yml"), "pull", "-retries", "0", "fetch")
	c.Env = append(c.Env, "PATH="+w.dir+":"+bin+":"+os.Getenv("PATH"))
	said, _ := c.CombinedOutput()
	code := c.ProcessState.ExitCode()
	if status := w.shown("fetch").Last.Status; status != code || code != 75 {
		t.Errorf("status %d of a run that exited with %d: %s", status, code, said)
	}
	j := w.health("fetch")
	link, old := strings.Index(j.Why, "cannot list the sender's datasets: "), strings.Index(j.Why, "diverged")
	if link != 0 || old < link {
		t.Errorf("%q", j.Why)
	}
	trouble, _, _ := strings.Cut(j.Why, "; ") // behind it stands an age, which grows meanwhile
	w.says("the link is down", "fetch", "failed", 1, trouble)
}

// TestFaceExported: a pool that is exported is named on each side by who can see
// it, and what a run said of it does not outlive its import.
func TestFaceExported(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.taken(time.Minute, "s1")
	w.copied()
	w.must("zpool", "export", "b")
	w.tried("pull", "fetch")
	w.tried("local", "mirror")
	const lost = "there was a copy, and its pool is not imported: zpool import b"
	w.says("target pool exported", "fetch", "failed", 2, lost)
	w.says("target pool exported", "mirror", "failed", 2, lost)
	w.says("target pool exported", "offer", "ok", 0, "") // its copies are in it
	if why := w.health("fetch").Why; strings.Contains(why, "no-pool") {
		t.Errorf("it is said twice: %s", why)
	}
	w.must("zpool", "import", "-d", w.dir, "b")
	for _, d := range w.health("fetch").Datasets {
		if d.State != "ok" {
			t.Errorf("imported again: %+v", d)
		}
	}
	w.must("zpool", "export", "a")
	if _, said := w.ctl("local", "mirror"); !strings.Contains(said, `cannot snapshot "a/m": pool "a" does not exist here, or is not imported: zpool import a`) {
		t.Errorf("source pool exported: %s", said)
	}
}

// TestFaceNoPool: a target pool that was never there is named with the command
// that imports it, and nobody says how far behind its copies are.
func TestFaceNoPool(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.configure(strings.ReplaceAll(twoEnds, "b/", "absent/"))
	w.taken(time.Minute, "s1")
	for _, run := range [][]string{{"pull", "fetch"}, {"local", "mirror"}, {"plan", "fetch"}} {
		if _, said := w.ctl(run...); !strings.Contains(said, "no-pool") || !strings.Contains(said, `zpool import absent`) {
			t.Errorf("%q: %s", run, said)
		}
	}
	for _, job := range []string{"fetch", "mirror"} {
		w.says("no pool", job, "failed", 2, "the target's pool is not imported: zpool import absent")
		if _, said := w.ctl("status", job); !strings.Contains(said, "\tbehind unknown\t") || strings.Contains(said, "0 behind") || strings.Contains(said, "parent-failed") {
			t.Errorf("%s", said)
		}
		if _, said := w.ctl("monitor", job); strings.Contains(said, "behind") {
			t.Errorf("%s", said)
		}
	}
}
