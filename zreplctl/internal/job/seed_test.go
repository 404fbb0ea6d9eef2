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
