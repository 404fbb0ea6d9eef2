package job_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// crashed runs a command under a fault that kills it, and reports whether it came to
// its end all the same.
func (w *world) crashed(fault, in, out string, args ...string) (over bool) {
	w.t.Helper()
	w.write("sim/faults", fault+"\n")
	run := w.command(append([]string{"zreplctl", "-config", w.path("c.yml")}, args...)...)
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it kills the group
	if in != "" {
		run.Stdin = bytes.NewReader(w.bytes(in))
	}
	if out != "" {
		file, err := os.Create(w.path(out))
		if err != nil {
			w.t.Fatal(err)
		}
		defer file.Close()
		run.Stdout = file
	}
	run.Run()
	w.waitFor("its programs end", func() bool { return len(w.processes()) == 0 })
	w.write("sim/faults", "")
	return run.ProcessState.Success()
}

// An export that is killed at any step leaves a file that nobody takes for whole,
// and can be begun again.
func TestSeedExportKilled(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	want := w.holds()
	for _, fault := range []string{"on=hold kill=before", "on=hold kill=after", "on=send n=1 kill=before", "on=send n=2 kill=10000", "on=send n=3 kill=after"} {
		w.ctl("holds", "-release", "offer")
		if w.crashed(fault, "", "cut.zf", "export", "offer") {
			t.Errorf("%s: it came to its end", fault)
			continue
		}
		w.imported(1, w.bytes("cut.zf"), "fetch")
		w.undo()
		w.exported(0, "disk.zf", "offer")
		w.equal(fault, w.holds(), want...)
		w.complete(fault, w.bytes("disk.zf"))
		w.undo()
	}
	w.complete("the first file", file)
}

// An import that is killed at any step is completed by the next one, and by the
// job's next run.
func TestSeedImportKilled(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	var faults []string
	for _, kill := range []string{"before", "after", "10000"} {
		for _, at := range []string{"on=receive n=1", "on=receive n=2", "on=receive n=3", "on=create n=1", "on=hold n=1"} {
			if kill != "10000" || strings.HasPrefix(at, "on=receive") {
				faults = append(faults, at+" kill="+kill)
			}
		}
	}
	for i, fault := range faults {
		over := w.crashed(fault, "disk.zf", "", "import-seed", "fetch")
		if over && !strings.HasPrefix(fault, "on=receive") { // it kills zrecv-frame, whose snapshot may be there
			t.Errorf("%s: it came to its end", fault)
		}
		if i%3 == 2 {
			w.done("pull", "fetch")
			w.same("a/x", "b/back/a/x")
		}
		w.complete(fault, file)
		w.equal(fault, w.heldOf("b/"), "b/back/a/x/y@s1 zreplctl_last_fetch", "b/back/a/x/z@s1 zreplctl_last_fetch", "b/back/a/x@s1 zreplctl_last_fetch")
		w.undo()
	}
}

// The same, by SIGKILL while a stream flows: what it started ends with it.
func TestSeedImportKilled9(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	for _, at := range []string{"a/x", "a/x/y", "a/x/z"} {
		w.write("sim/faults", "on=receive match=b/back/"+at+"@s1 wait=10000\n")
		run := w.command("zreplctl", "-config", w.path("c.yml"), "import-seed", "fetch")
		run.Stdin = bytes.NewReader(file)
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		w.find("zfs", " receive ", "b/back/"+at+"@s1")
		if code, said := w.ctl("pull", "fetch"); code != 75 {
			t.Errorf("a run beside an import: exit status %d: %s", code, said)
		}
		run.Process.Signal(syscall.SIGKILL)
		run.Wait()
		w.gone()
		w.write("sim/faults", "")
	}
	w.complete("killed", file)
	w.done("pull", "fetch")
}

// An export whose file cannot be written fails, and holds nothing.
func TestSeedExportUnwritten(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t)
	w.ctl("holds", "-release", "offer")
	for _, where := range []string{"> /dev/full", "| head -c 30000 >DIR/head", "| true"} {
		line := `{ zreplctl -config DIR/c.yml export offer; echo $? >DIR/code; } ` + where
		w.must("sh", "-c", strings.ReplaceAll(line, "DIR", w.dir))
		if code := strings.TrimSpace(string(w.bytes("code"))); code != "1" {
			t.Errorf("%s: exit status %s", where, code)
		}
		w.equal(where, w.holds())
	}
	w.imported(1, w.bytes("head"), "fetch")
	w.write("sim/faults", "on=send n=2 match=a/x/y cut=20000\n")
	w.speaks(w.exported(1, "part.zf", "offer"), `cannot export "a/x/y"`)
	w.write("sim/faults", "")
	if held := w.heldOf("a/x/y@"); len(held) > 0 {
		t.Errorf("%q", held)
	}
	w.speaks(w.imported(1, w.bytes("part.zf"), "fetch"), `cannot replicate "a/x/y" to "b/back/a/x/y"`)
	w.same("a/x/z", "b/back/a/x/z")
	w.ctl("holds", "-release", "offer")
	line := `zreplctl -config DIR/c.yml export offer >&- 2>DIR/said; echo $? >DIR/code`
	w.must("sh", "-c", strings.ReplaceAll(line, "DIR", w.dir))
	if code := strings.TrimSpace(string(w.bytes("code"))); code != "2" || !strings.Contains(string(w.bytes("said")), "which is closed") {
		t.Errorf("standard output is closed: exit status %s: %s", code, w.bytes("said"))
	}
	w.equal("closed", w.heldOf("a/"))
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	c := w.command("zreplctl", "-config", w.path("c.yml"), "export", "offer")
	c.Stdout = tty
	if c.Run(); c.ProcessState.ExitCode() != 2 {
		t.Error("it wrote to a terminal")
	}
}

// What has come over the line in part is replaced by the file's stream, and what a
// file has brought in part goes on over the line.
func TestSeedPartial(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t)
	w.fill("a/x", 3<<20)
	w.snapshot("s2")
	w.exported(0, "disk.zf", "offer")
	file := w.bytes("disk.zf")
	w.must("zfs", "release", "-r", "zreplctl_source_me", "a/x@s1")
	w.must("zfs", "destroy", "-r", "a/x@s1")
	w.write("sim/faults", "on=send match=a/x@ cut=1500000\n")
	w.tried("pull", "fetch")
	w.write("sim/faults", "")
	if w.token("b/back/a/x") == "-" {
		t.Fatal("nothing is received in part")
	}
	w.speaks(w.imported(1, file[:len(members(t, file)[0])], "fetch"), "cut")
	if w.token("b/back/a/x") == "-" {
		t.Error("discarded without the file's stream at hand")
	}
	w.speaks(w.imported(0, file, "fetch"), `discarding the partial receive of "b/back/a/x"`)
	w.complete("partial", file)
	w.undo()
	m := members(t, file)
	half := slices.Concat(m[0], m[1], m[2][:len(m[2])-1000000])
	w.speaks(w.imported(1, half, "fetch"), "the file is cut", "the next run resumes it")
	token := w.token("b/back/a/x")
	if kind, why := w.planned("fetch", "a/x"); kind != "resume" || token == "-" {
		t.Error(kind, why)
	}
	w.done("pull", "fetch")
	w.complete("resumed", file)
	w.undo()
	w.write("sim/faults", "on=receive nospace=1500000\n")
	w.speaks(w.imported(1, file, "fetch"), "no-space")
	w.write("sim/faults", "")
	w.complete("no space", file)
}

// A job that must not begin a first copy by itself takes one by hand.
func TestSeedPolicyFail(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	w.replace("mapping: {\"a<\": b/back/a}", "mapping: {\"a<\": b/back/a}\n  initial_repl_policy: fail")
	w.replace("- name: pushit\n  type: push\n", "- name: pushit\n  type: push\n  initial_repl_policy: fail\n")
	if w.tried("pull", "fetch") != 1 || w.tried("push", "pushit") != 1 {
		t.Error("a first copy came by itself")
	}
	w.complete("fail", file)
	w.done("pull", "fetch")
	w.exported(0, "push.zf", "pushit")
	w.imported(0, w.bytes("push.zf"), "sink")
	w.done("push", "pushit")
}

// If the mapping puts a dataset above one that comes before it in the file, a second
// import completes the first.
func TestSeedMapped(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	w.replace("mapping: {\"a<\": b/back/a}", "mapping: {\"a/x\": b/back/a/x/y/z, \"a/x/y\": b/back/a/x/y, \"a/x/z\": b/back/a/x}")
	w.speaks(w.imported(1, file, "fetch"), "import the file once more")
	w.imported(1, file, "fetch")
	w.imported(0, file, "fetch")
	w.has("b/back/a/x/y/z", "s1")
	w.done("pull", "fetch")
}

// A file that stops coming does not keep an import for ever.
func TestSeedStalls(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	w.replace("mapping: {\"a<\": b/back/a}", "mapping: {\"a<\": b/back/a}\n  stall: 2s")
	for _, n := range []int{20, len(file) / 2} {
		run := w.command("zreplctl", "-config", w.path("c.yml"), "import-seed", "fetch")
		in, err := run.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		run.Stdout, run.Stderr = &said, &said
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		in.Write(file[:n])
		run.Wait()
		if code := run.ProcessState.ExitCode(); code != 1 || !strings.Contains(said.String(), "nothing of it moved for 2s") {
			t.Errorf("exit status %d: %s", code, said.String())
		}
	}
	w.complete("stalled", file)
}

// A signal while the last bookmarks are made leaves the file whole, and nothing
// behind that a base does not need.
func TestSeedExportSettled(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t)
	w.ctl("holds", "-release", "offer")
	w.write("sim/faults", "on=bookmark n=1 wait\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "export", "marks")
	out, err := os.Create(w.path("marks.zf"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	run.Stdout = out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.find("zfs", " bookmark ")
	run.Process.Signal(syscall.SIGTERM)
	w.write("sim/faults", "")
	run.Wait()
	w.equal("holds", w.holds())
	w.imported(0, w.bytes("marks.zf"), "marks")
	w.done("local", "marks")
}

// A bookmark that cannot be made leaves the hold, from which the job continues.
func TestSeedExportUnmarked(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t)
	w.ctl("holds", "-release", "offer")
	w.write("sim/faults", "on=bookmark match=a/x/y fail=1\n")
	w.speaks(w.exported(1, "marks.zf", "marks"), `cannot export "a/x/y": it is in the file, and the job can continue from it`)
	w.write("sim/faults", "")
	w.imported(0, w.bytes("marks.zf"), "marks")
	w.done("local", "marks")
}
