package job_test

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// A partial receive of what the file does not bring is for the job's next run: an
// import leaves it, and what stands below it.
func TestSeedOtherPartial(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	w.fill("a/x", 3<<20)
	w.snapshot("s2")
	w.write("sim/faults", "on=send match=a/x@ cut=1500000\n")
	w.tried("pull", "fetch")
	w.write("sim/faults", "")
	token := w.token("b/back/a/x")
	if token == "-" {
		t.Fatal("nothing is received in part")
	}
	for _, args := range [][]string{{"-n", "fetch"}, {"fetch"}} {
		said := w.imported(1, file, args...)
		w.speaks(said, "other-partial")
		if strings.Contains(said, "no longer has") || w.token("b/back/a/x") != token {
			t.Fatalf("%q: %s", args, said)
		}
	}
	w.speaks(w.imported(1, file, "fetch"), `cannot replicate "a/x" to "b/back/a/x": other-partial: `, "it is of another snapshot, with guid", "run the job")
	if kind, why := w.planned("fetch", "a/x"); kind != "resume" {
		t.Error(kind, why)
	}
	w.done("pull", "fetch")
	w.has("b/back/a/x", "s2")
}

// A copy that does not have the file's snapshot is the job's matter: nothing of it
// fails, and nobody is told to begin it anew.
func TestSeedHasCopy(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t)
	w.done("pull", "fetch")
	w.must("zfs", "create", "a/x/new")
	w.snapshot("s2")
	w.exported(0, "disk.zf", "offer")
	file := w.bytes("disk.zf")
	plan := w.imported(0, file, "-n", "fetch")
	w.speaks(plan, "has-copy", "full")
	said := w.imported(0, file, "fetch")
	w.speaks(said, `"b/back/a/x" (and 2 more) has snapshots already`)
	if strings.Contains(plan+said, "unrelated") || strings.Contains(said, "rename") {
		t.Errorf("%s%s", plan, said)
	}
	w.has("b/back/a/x", "s1")
	w.has("b/back/a/x/new", "s2")
	w.done("pull", "fetch")
	w.has("b/back/a/x", "s1", "s2")
}

// If a file breaks in a stream that was to take the place of a partial receive, the
// file is blamed.
func TestSeedBreaksOverPartial(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t)
	w.fill("a/x", 3<<20)
	w.must("zfs", "release", "-r", "zreplctl_source_me", "a/x@s1")
	w.must("zfs", "destroy", "-r", "a/x@s1")
	w.snapshot("s2")
	w.exported(0, "disk.zf", "offer")
	file := w.bytes("disk.zf")
	m := members(t, file)
	flipped := slices.Clone(file)
	flipped[len(m[0])+len(m[1])+400] ^= 0x10
	for says, broken := range map[string][]byte{
		"the file is cut: it ends with stream 1 of 3": file[:len(m[0])+len(m[1])+300],
		"the file is damaged":                         flipped,
	} {
		w.write("sim/faults", "on=send match=a/x@ cut=1500000\n")
		w.tried("pull", "fetch")
		w.write("sim/faults", "")
		plan := w.imported(0, broken, "-n", "fetch")
		if strings.Contains(plan, "resume") || !strings.Contains(plan, "the partial receive is discarded") {
			t.Error(plan)
		}
		said := w.imported(1, broken, "fetch")
		w.speaks(said, says)
		if strings.Contains(said, "import the file once more") {
			t.Error(said)
		}
		w.undo()
	}
}

// While an export keeps a client's runs away, they fail for now, and say why.
func TestSeedKeepsClientAway(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t)
	w.fill("a/x", 3<<20)
	w.snapshot("s2")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "export", "offer")
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 100)); err != nil { // and no more
		t.Error(err)
	}
	code, said := w.ctl("pull", "-retries", "0", "fetch")
	if code != 75 || !strings.Contains(said, "zreplctl export or import-seed is active") {
		t.Errorf("exit status %d: %s", code, said)
	}
	run.Process.Kill()
	run.Wait()
}
