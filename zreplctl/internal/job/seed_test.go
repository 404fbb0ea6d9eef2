package job_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// exported runs export into a file, with an exit status.
func (w *world) exported(status int, file string, args ...string) string {
	w.t.Helper()
	out, err := os.Create(w.path(file))
	if err != nil {
		w.t.Fatal(err)
	}
	defer out.Close()
	c := w.command(append([]string{"zreplctl", "-config", w.path("c.yml"), "export"}, args...)...)
	var said bytes.Buffer
	c.Stdout, c.Stderr = out, &said
	if err := c.Run(); c.ProcessState == nil {
		w.t.Fatal(err)
	}
	if code := c.ProcessState.ExitCode(); code != status {
		w.t.Errorf("export %q: exit status %d, not %d: %s", args, code, status, said.String())
	}
	return said.String()
}

// imported runs import-seed of some bytes, which come through a pipe.
func (w *world) imported(status int, text []byte, args ...string) string {
	w.t.Helper()
	c := w.command(append([]string{"zreplctl", "-config", w.path("c.yml"), "import-seed"}, args...)...)
	c.Stdin = bytes.NewReader(text)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		w.t.Fatal(err)
	}
	if code := c.ProcessState.ExitCode(); code != status {
		w.t.Errorf("import-seed %q: exit status %d, not %d: %s", args, code, status, out)
	}
	return string(out)
}

func (w *world) bytes(file string) []byte {
	w.t.Helper()
	text, err := os.ReadFile(w.path(file))
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// What is exported and imported is what a first run would have brought, for each
// type of job, and the job continues from it.
func TestSeedRoundTrip(t *testing.T) {
	t.Parallel()
	for _, one := range []struct{ from, to, kind, run, target, below string }{
		{"offer", "fetch", "pull", "fetch", "b/back/a", "/x"},
		{"pushit", "sink", "push", "pushit", "b/sink/pusher/a/x", ""},
		{"mirror", "mirror", "local", "mirror", "b/mirror/x", ""},
		{"marks", "marks", "local", "marks", "b/marks/x", ""},
	} {
		t.Run(one.from, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.encrypted("a/x/enc")
			w.fill("a/x/enc", 3000)
			w.snapshot("s1", "s2")
			w.must("zfs", "clone", "a/x@s1", "a/x/clone")
			w.must("zfs", "snapshot", "a/x/clone@s3")
			before := w.everything()
			said := w.exported(0, "plan", "-n", one.from)
			if plan := string(w.bytes("plan")); !strings.Contains(plan, "full\ta/x@s2\t") {
				t.Errorf("%s%s", plan, said)
			}
			if !slices.Equal(before, w.everything()) {
				t.Error("export -n changed something")
			}
			w.exported(0, "disk.zf", one.from)
			disk := w.bytes("disk.zf")
			before = w.everything()
			w.speaks(w.imported(0, disk, "-n", one.to), "@s2")
			if !slices.Equal(before, w.everything()) {
				t.Error("import-seed -n changed something")
			}
			w.imported(0, disk, one.to)
			w.has(one.target, "s2")
			w.shows(one.target, "readonly", "on local")
			w.speaks(w.imported(0, disk, one.to), "nothing needs them")
			w.must("zfs", "destroy", "-d", "a/x@s2") // it is protected
			w.fill("a/x/enc", 5000)
			w.snapshot("s4")
			w.done(one.kind, one.run)
			w.has(one.target, "s2", "s4")
			w.has(one.target+one.below+"/enc", "s2", "s4")
			w.has(one.target+one.below+"/clone", "s3", "s4")
			for _, hold := range w.holds() {
				if !strings.Contains(hold, "@s4 ") {
					t.Errorf("left behind: %s", hold)
				}
			}
		})
	}
}

// What is there is passed over, also if the job has continued from it meanwhile.
// Something else in its place is a conflict of that dataset alone.
func TestSeedExisting(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	w.must("zfs", "create", "-p", "b/back/a/x")
	w.must("zfs", "snapshot", "b/back/a/x@mine")
	w.must("zfs", "create", "b/back/a/x/z")
	before := w.everything()
	plan := w.imported(1, file, "-n", "fetch")
	w.speaks(plan, "has-copy", "unrelated", "full")
	if !slices.Equal(before, w.everything()) {
		t.Error("-n changed something")
	}
	w.speaks(w.imported(1, file, "fetch"), `"b/back/a/x" has snapshots already`,
		`cannot replicate "a/x/z" to "b/back/a/x/z": unrelated: the target exists and has no snapshot`)
	w.has("b/back/a/x", "mine")
	w.has("b/back/a/x/y", "s1")
	w.must("zfs", "destroy", "-r", "b/back/a/x/z")
	w.must("zfs", "rename", "b/back/a/x@mine", "b/back/a/x@s1")
	w.imported(0, file, "fetch")
	w.has("b/back/a/x/z", "s1")
	w.undo()

	w.imported(0, file, "fetch")
	w.must("zfs", "release", "zreplctl_last_fetch", "b/back/a/x@s1") // as if it had been killed before the hold
	w.imported(0, file, "fetch")
	w.equal("holds", w.heldOf("b/back/a/x@"), "b/back/a/x@s1 zreplctl_last_fetch")
	w.snapshot("s2")
	w.done("pull", "fetch")
	before = w.everything()
	w.speaks(w.imported(0, file, "fetch"), "nothing needs them")
	if !slices.Equal(before, w.everything()) {
		t.Error("an import of what is there changed something")
	}
	_, log := w.ctl("log", "fetch")
	w.speaks(log, "import-seed")
}

// An import does not make a job look as if it had run, and runs of the job and of
// its client stay away meanwhile.
func TestSeedHealth(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	w.imported(0, file, "fetch")
	if _, err := os.Stat(w.path("run/fetch.json")); err == nil {
		t.Error("an import has left the record of a run")
	}
	code, said := w.ctl("status", "fetch")
	t.Log(code, said)
	w.speaks(said, "never")
}

// Which client a file is for must be said if there are several, and only a client
// of the job is one.
func TestSeedClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(strings.Replace(jobs, "client_identity: me}", "client_identities: [me, you]}", 1))
	w.tree()
	w.snapshot("s1")
	w.speaks(w.exported(2, "none", "offer"), "choose one with -client: me, you")
	w.speaks(w.exported(2, "none", "-client", "other", "offer"), `no client "other"`)
	w.speaks(w.exported(2, "none", "-client", "me", "mirror"), "jobs of type source")
	w.speaks(w.exported(2, "none", "fetch"), "on the host that sends")
	w.speaks(w.imported(2, nil, "offer"), "on the host that receives")
	w.exported(0, "disk.zf", "-client", "you", "offer")
	held := w.heldOf("a/")
	if len(held) == 0 || slices.ContainsFunc(held, func(h string) bool { return !strings.HasSuffix(h, "@s1 zreplctl_source_you") }) {
		t.Errorf("%q", held)
	}
	code, said := w.ctl("holds")
	w.speaks(said, "a/x@s1\tzreplctl_source_you\toffer")
	if code, said = w.ctl("holds", "-release", "offer"); code != 0 {
		t.Error(said)
	}
	w.equal("holds", w.holds())
}

// What was exported and never imported is named by check.
func TestSeedForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.env = []string{"ZFS_SIM_NOW=1577836800"}
	w.exported(0, "source.zf", "offer")
	w.exported(0, "push.zf", "pushit")
	w.env = nil
	_, said := w.ctl("check")
	w.speaks(said, `client "me" has held "a/x@s1" since 2020-01-01`, `job "pushit": it has held 2 snapshots for more than 30 days, such as "a/x/y@s1", and no run has continued from there`)
	w.done("push", "pushit")
	_, said = w.ctl("check")
	if strings.Contains(said, "for more than 30 days") {
		t.Error(said)
	}
}

// A job that wants all snapshots is told that a source's file has only the newest.
func TestSeedPolicyAll(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	const says = "initial_repl_policy: all brings no older ones"
	if said := w.imported(0, file, "-n", "fetch"); strings.Contains(said, says) {
		t.Error(said)
	}
	w.replace("mapping: {\"a<\": b/back/a}", "mapping: {\"a<\": b/back/a}\n  initial_repl_policy: all")
	w.speaks(w.imported(0, file, "-n", "fetch"), says)
	w.speaks(w.imported(0, file, "fetch"), says)
}
