package job_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// without writes a configuration with a state directory of its own, and without
// the jobs of these names.
func (w *world) without(names ...string) {
	w.t.Helper()
	jobs := strings.Split(strings.ReplaceAll(jobs, "DIR", w.dir), "\n- ")
	jobs[0] = strings.Replace(jobs[0], "{rundir: ", "{statedir: "+w.path("state")+", rundir: ", 1)
	jobs = slices.DeleteFunc(jobs, func(job string) bool {
		line, _, _ := strings.Cut(job, "\n")
		return slices.ContainsFunc(names, func(name string) bool { return line == "name: "+name })
	})
	w.write("c.yml", strings.Join(jobs, "\n- ")+"\n")
}

// stateFiles lists what is in the state directory.
func (w *world) stateFiles() (names []string) {
	w.t.Helper()
	entries, err := os.ReadDir(w.path("state"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestOwnersOfAll: whose each file in the state directory is can be told by its
// name, whatever jobs have run.
func TestOwnersOfAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.without()
	w.tree()
	w.snapshot("s1", "s2")
	for _, run := range [][2]string{{"pull", "fetch"}, {"pull", "fetch4"}, {"local", "mirror"}, {"local", "marks"}, {"push", "pushit"}} {
		w.done(run[0], run[1])
	}
	w.ctl("verify", "mirror")
	w.ctl("pause", "mirror")
	w.ctl("status")
	var known []string
	for _, left := range state.In(w.path("state")).Left(func(state.Owner) bool { return false }) {
		known = append(known, left.Files...)
	}
	for _, name := range w.stateFiles() {
		if !strings.HasPrefix(name, ".") && name != "created" && !slices.Contains(known, name) {
			t.Errorf("whose is %s?", name)
		}
	}
	if code, said := w.ctl("check"); code != 0 || strings.Contains(said, "statedir:") {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// TestForgetRemoved: check names what a removed job left, and forget removes it,
// but not while the job protects something.
func TestForgetRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.without()
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.done("pull", "fetch")
	w.without("mirror", "offer", "fetch")
	if code, said := w.ctl("check"); code != 0 || strings.Count(said, "statedir: no job here has the name \"mirror\"") != 1 ||
		!strings.Contains(said, "zreplctl forget mirror removes them") || !strings.Contains(said, "no client here has the name \"me\"") {
		t.Errorf("exit status %d: %s", code, said)
	}
	before := w.stateFiles()
	if code, said := w.ctl("forget", "mirror"); code != 1 || !strings.Contains(said, "holds and bookmarks of it are on this host") ||
		!strings.Contains(said, "zreplctl holds -release mirror releases them") {
		t.Errorf("exit status %d: %s", code, said)
	}
	for _, name := range []string{"mirror", "fetch", "me"} {
		w.must("zreplctl", "-config", w.path("c.yml"), "holds", "-release", name)
	}
	code, would := w.ctl("forget", "-n", "mirror")
	if code != 0 || !strings.Contains(would, w.path("state/mirror.json\n")) || !strings.Contains(would, w.path("state/mirror.covered\n")) {
		t.Errorf("exit status %d: %s", code, would)
	}
	if after := w.stateFiles(); !slices.Equal(after, before) {
		t.Errorf("forget -n: %q, and before %q", after, before)
	}
	if code, said := w.ctl("forget", "mirror"); code != 0 || said != would {
		t.Errorf("exit status %d: %s, not %s", code, said, would)
	}
	for _, name := range []string{"fetch", "me", "offer"} {
		if code, said := w.ctl("forget", name); code != 0 && name != "offer" {
			t.Errorf("%s: exit status %d: %s", name, code, said)
		}
	}
	for _, name := range w.stateFiles() {
		if !strings.HasPrefix(name, ".") && name != "created" {
			t.Errorf("left: %s", name)
		}
	}
	if code, said := w.ctl("forget", "mirror"); code != 2 || !strings.Contains(said, `no job "mirror"`) {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// TestForgetExported: holds on a pool that is not imported count, too: the list
// of what the job covered names the pool.
func TestForgetExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.without()
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.done("push", "pushit")
	w.done("local", "mirror")
	w.without("fetch", "pushit", "mirror", "offer")
	before := w.stateFiles()
	refused := func(want string, names ...string) {
		t.Helper()
		for _, name := range names {
			if code, said := w.ctl("forget", name); code != 1 || !strings.Contains(said, want) {
				t.Errorf("%s: exit status %d: %s", name, code, said)
			}
		}
		if after := w.stateFiles(); !slices.Equal(after, before) {
			t.Errorf("left %q of %q", after, before)
		}
	}
	w.must("zpool", "export", "b")
	refused(`pool "b", with its dataset "b/back/a`, "fetch")
	refused(`pool "b", with its dataset "b/mirror/x`, "mirror")
	refused("holds and bookmarks of it are on this host", "pushit", "me") // they are on a
	w.must("zpool", "export", "a")
	refused(`pool "a", with its dataset "a`, "pushit", "me", "mirror")
	w.must("zpool", "import", "-d", w.dir, "a")
	w.must("zpool", "import", "-d", w.dir, "b")
	covered, err := os.ReadFile(w.path("state/fetch.covered"))
	if err != nil {
		t.Fatal(err)
	}
	w.must("zreplctl", "-config", w.path("c.yml"), "holds", "-release", "fetch")
	w.write("state/fetch.covered", string(covered[:len(covered)-2]))
	refused("fetch.covered\" is damaged", "fetch")
	w.write("state/fetch.covered", string(covered))
	if code, said := w.ctl("forget", "fetch"); code != 0 || !strings.Contains(said, "fetch.covered") {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// TestForgetOwing: a removed job that left hooks keeps its files.
func TestForgetOwing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.without("mirror")
	w.must("sh", "-c", "mkdir -m 700 "+w.path("state"))
	w.write("state/mirror.hooks", `{"run":true}`)
	if code, said := w.ctl("forget", "mirror"); code != 1 || !strings.Contains(said, "did not finish its after_snapshot and after hooks") || len(w.stateFiles()) != 1 {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// TestRenamedJob: status and check say which job it was, and what check says to
// type ends it.
func TestRenamedJob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, old string }{{"pull", "fetch"}, {"local", "mirror"}, {"push", "pushit"}} {
		w := newWorld(t)
		w.without()
		w.tree()
		w.snapshot("s1")
		w.done(c.kind, c.old)
		w.replace("- name: "+c.old+"\n", "- name: renamed\n")
		if c.kind != "local" {
			if code, said := w.ctl(c.kind, "renamed"); code == 0 || !strings.Contains(said, `belongs to job "`+c.old+`"`) {
				t.Errorf("%s: exit status %d: %s", c.kind, code, said)
			}
		}
		want := `job "` + c.old + `", which is not in the configuration, had these datasets`
		if _, said := w.ctl("status", "-v"); !strings.Contains(said, want) {
			t.Errorf("%s: status does not say it: %s", c.kind, said)
		}
		_, said := w.ctl("check")
		for _, step := range []string{"zreplctl " + c.kind + " renamed", "zreplctl holds -release " + c.old, "zreplctl forget " + c.old} {
			if !strings.Contains(said, step) {
				t.Errorf("%s: check does not say %q: %s", c.kind, step, said)
			}
		}
		if serving := map[string]string{"pull": "offer", "push": "sink"}[c.kind]; serving != "" {
			w.must("zreplctl", "-config", w.path("c.yml"), "forget", serving)
		}
		w.snapshot("s2")
		w.done(c.kind, "renamed")
		for _, args := range [][]string{{"holds", "-release", c.old}, {"forget", c.old}} {
			if code, said := w.ctl(args...); code != 0 {
				t.Errorf("%s: %q: exit status %d: %s", c.kind, args, code, said)
			}
		}
		_, said = w.ctl("check")
		_, status := w.ctl("status", "-v")
		if quoted := `"` + c.old + `"`; strings.Contains(said, quoted) || strings.Contains(status, quoted) {
			t.Errorf("%s: still there: %s%s", c.kind, said, status)
		}
		w.snapshot("s3")
		w.done(c.kind, "renamed")
	}
}

// TestRenamedServer: a job that serves and has a new name is no removed one.
func TestRenamedServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.without()
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.done("push", "pushit")
	w.snapshot("s2", "s3")
	w.done("pull", "fetch")
	w.replace("- name: offer\n", "- name: offerx\n")
	w.replace("- name: sink\n", "- name: sinkx\n")
	before := w.stateFiles()
	chains := w.path("state/offer@me.chains")
	says := func(wants ...string) {
		t.Helper()
		_, said := w.ctl("check")
		for _, want := range wants {
			if !strings.Contains(said, want) || strings.Contains(said, "zreplctl forget offer removes") {
				t.Errorf("check does not say %q: %s", want, said)
			}
		}
		if first := len(wants) > 1; first == strings.Contains(said, "zreplctl forget sink removes") {
			t.Errorf("check says of sink: %s", said)
		}
	}
	again := `when a run of that client has succeeded, remove "` + chains + `*" and run `
	source := `job "offerx": it serves client "me" of job "offer", which is not here any more: if it was renamed, name it "offer" again, or, ` + again + "zreplctl forget offer"
	says(source, `job "sinkx": it never received anything, and push-sink "sink" is not here any more: if it was renamed, name it "sink" again, or, `+
		"when a run of its client has succeeded, run zreplctl holds -release sink and zreplctl forget sink")
	refused := func() {
		t.Helper()
		if code, said := w.ctl("forget", "offer"); code != 1 || !strings.Contains(said, `its client "me" still has holds and bookmarks on this host, such as on "a`) ||
			!strings.Contains(said, `and job "offerx" serves it now`) || !strings.Contains(said, again+"this again") {
			t.Errorf("exit status %d: %s", code, said)
		}
		if code, said := w.ctl("forget", "sink"); code != 1 || !strings.Contains(said, "holds and bookmarks of it are on this host") {
			t.Errorf("exit status %d: %s", code, said)
		}
	}
	refused()
	w.must("zpool", "export", "a")
	if code, said := w.ctl("forget", "offer"); code != 1 || !strings.Contains(said, `pool "a", with its dataset "a`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.must("zpool", "import", "-d", w.dir, "a")
	if after := w.stateFiles(); !slices.Equal(after, before) {
		t.Errorf("left %q of %q", after, before)
	}
	w.snapshot("s4")
	w.done("pull", "fetch")
	w.done("push", "pushit")
	says(source)
	refused()
	left, err := filepath.Glob(chains + "*")
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	if err != nil || len(left) == 0 {
		t.Fatal(left, err)
	}
	for _, args := range [][]string{{"forget", "offer"}, {"holds", "-release", "sink"}, {"forget", "sink"}} {
		if code, said := w.ctl(args...); code != 0 {
			t.Errorf("%q: exit status %d: %s", args, code, said)
		}
	}
	if code, said := w.ctl("check"); code != 0 || strings.Contains(said, "not here any more") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.snapshot("s5")
	w.done("pull", "fetch")
	w.done("push", "pushit")
}

// TestOtherJob: a new job is no renamed one, if it has other datasets.
func TestOtherJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.without()
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.replace("- name: mirror\n", "- name: renamed\n")
	w.replace("b/mirror/x", "b/other/x")
	if _, said := w.ctl("check"); strings.Contains(said, "it never succeeded") || !strings.Contains(said, "zreplctl forget mirror") {
		t.Error(said)
	}
}
