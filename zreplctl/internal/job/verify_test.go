package job_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// verified runs verify, and returns its exit status and its lines, outcome and
// source only, with all that it said.
func (w *world) verified(args ...string) (code int, lines []string, said string) {
	w.t.Helper()
	code, said = w.ctl(append([]string{"verify"}, args...)...)
	for line := range strings.Lines(said) {
		if fields := strings.Split(line, "\t"); len(fields) == 5 {
			lines = append(lines, fields[0]+" "+fields[1])
		}
	}
	slices.Sort(lines)
	return code, lines, said
}

// damage changes one byte in a file of a snapshot, as a disk might that ZFS
// believes.
func (w *world) damage(snapshot string) {
	w.t.Helper()
	ds, _, short := dataset.Split(snapshot)
	pool, rest, _ := strings.Cut(ds, "/")
	files, err := filepath.Glob(filepath.Join(w.path("sim"), "pools", pool, "ds", rest, "@zfs/snapshot", short, "file*"))
	if err != nil || len(files) == 0 {
		w.t.Fatalf("no file in %s: %v", snapshot, err)
	}
	text, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		w.t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	was, err := os.Stat(files[len(files)-1])
	if err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(files[len(files)-1], text, 0o600), os.Chtimes(files[len(files)-1], time.Time{}, was.ModTime())); err != nil {
		w.t.Fatal(err)
	}
}

// commandOf are the jobs that verify is tried with, one of each kind, and the
// commands that run them.
var commandOf = map[string]string{"fetch": "pull", "mirror": "local", "pushit": "push"}

// verifyWorld has filesystems, a volume and an encrypted dataset, replicated by
// these jobs in three steps.
func verifyWorld(t *testing.T, jobs ...string) *world {
	w := newWorld(t)
	w.tree()
	w.underKey("a/x/enc")
	for _, snapshots := range [][]string{{"s1"}, {"s2"}, {"s3", "s4", "s5"}} { // full, incremental, a chain
		for _, s := range snapshots {
			w.fill("a/x", 300_000)
			w.fill("a/x/enc", 200_000)
			w.fill("a/x/y", 1000)
			w.snapshot(s)
		}
		for _, job := range jobs {
			w.done(commandOf[job], job)
		}
	}
	return w
}

func TestVerify(t *testing.T) {
	t.Parallel()
	w := verifyWorld(t, "fetch", "mirror", "pushit")
	before := w.everything()
	all := []string{"ok a", "ok a/v", "ok a/x", "ok a/x/enc", "ok a/x/y", "ok a/z"}
	below := all[2:5]
	for job, want := range map[string][]string{"fetch": all, "mirror": below, "pushit": below} {
		code, lines, said := w.verified(job)
		if code != 0 || !slices.Equal(lines, want) || !strings.Contains(said, fmt.Sprintf(": %d ok\n", len(want))) || !strings.Contains(said, "\t@s5\t-\n") {
			t.Errorf("%s: exit status %d, %q\n%s", job, code, lines, said)
		}
	}
	code, lines, said := w.verified("-deep", "-dataset", "a/x<", "fetch")
	if code != 0 || len(lines) != 15 || strings.Count(said, "ok\ta/x/enc\t") != 5 {
		t.Errorf("exit status %d:\n%s", code, said)
	}
	if code, lines, said = w.verified("-n", "-dataset", "a/z", "fetch"); code != 0 || !slices.Equal(lines, []string{"would a/z"}) || !strings.Contains(said, "\tverified 20") {
		t.Errorf("exit status %d: %q\n%s", code, lines, said)
	}
	if code, said := w.ctl("verify", "-dataset", "a/none", "fetch"); code != 1 || !strings.Contains(said, "the job has no such dataset") {
		t.Errorf("exit status %d: %s", code, said)
	}
	if code, said := w.ctl("verify", "-json", "-dataset", "a/x/enc", "fetch"); code != 0 || !strings.Contains(said, `"outcome":"ok","raw":true,"digest":"`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	if after := w.everything(); !slices.Equal(before, after) {
		t.Error("verify changed something")
	}
}

// Damage that ZFS does not see is found, also without the key, and its object
// named. It is a failure until it is gone, and the other datasets are well.
func TestVerifyFindsDamage(t *testing.T) {
	t.Parallel()
	for job, copy := range map[string]string{"fetch": "b/back/a/x", "mirror": "b/mirror/x", "pushit": "b/sink/pusher/a/x"} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			w := verifyWorld(t, job)
			w.damage(copy + "@s5")
			w.damage(copy + "/enc@s5")
			code, lines, said := w.verified(job)
			if code != 1 || !slices.Contains(lines, "differs a/x") || !slices.Contains(lines, "differs a/x/enc") || !slices.Contains(lines, "ok a/x/y") ||
				strings.Count(said, "differs\t") != 2 || strings.Count(said, "\tobjects differ: ") != 2 || !strings.Contains(said, `"A copy differs from its source"`) {
				t.Errorf("exit status %d:\n%s", code, said)
			}
			t.Log(said)
		})
	}
}

// A snapshot other than the newest is looked at with -deep alone, and what
// differed there stays on record until that snapshot was found to be the same.
func TestVerifyDeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.must("sh", "-c", "rm "+w.path("mnt/a/x")+"/file*")
	w.fill("a/x", 5000)
	w.snapshot("s2")
	w.done("pull", "fetch")
	w.damage("b/back/a/x@s1")
	if code, _, said := w.verified("-dataset", "a/x", "fetch"); code != 0 {
		t.Errorf("exit status %d: %s", code, said)
	}
	code, _, said := w.verified("-deep", "-dataset", "a/x", "fetch")
	if code != 1 || !strings.Contains(said, "ok\ta/x\tb/back/a/x\t@s2\t") || !strings.Contains(said, "differs\ta/x\tb/back/a/x\t@s1\t") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.verified("-dataset", "a/x", "fetch")
	if _, _, said := w.verified("-n", "-dataset", "a/x", "fetch"); !strings.Contains(said, "\tdiffered 20") {
		t.Errorf("forgotten: %s", said)
	}
	w.must("zfs", "destroy", "b/back/a/x@s1")
	w.verified("-dataset", "a/x", "fetch")
	if _, _, said := w.verified("-n", "-dataset", "a/x", "fetch"); !strings.Contains(said, "\tverified 20") {
		t.Errorf("not forgotten: %s", said)
	}
}

// What there is nothing to say of is skipped, and what cannot be compared is a
// failure.
func TestVerifySkips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.must("zfs", "create", "a/x/new")
	w.release("a/x/y")
	w.must("zfs", "destroy", "a/x/y@s1")
	code, lines, said := w.verified("mirror")
	if want := []string{"ok a/x", "skipped a/x/new", "skipped a/x/y"}; code != 0 || !slices.Equal(lines, want) {
		t.Errorf("exit status %d: %q\n%s", code, lines, said)
	}
	w.write("sim/faults", "on=send match=b/mirror/x@s1 fail=1 message=cannot send: I/O error\n")
	if code, lines, said = w.verified("-dataset", "a/x", "mirror"); code != 1 || !slices.Equal(lines, []string{"cannot a/x"}) || !strings.Contains(said, "cannot read the copy: zfs send: cannot send: I/O error") {
		t.Errorf("exit status %d: %s", code, said)
	}
	w.write("sim/faults", "on=send match=b/mirror/x@s1 cut=5000\n")
	if code, lines, said = w.verified("-dataset", "a/x", "mirror"); code != 1 || !slices.Equal(lines, []string{"cannot a/x"}) {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// The parts of a sample are all of the datasets after so many runs, whatever
// fails.
func TestVerifySample(t *testing.T) {
	t.Parallel()
	w := verifyWorld(t, "fetch")
	w.write("sim/faults", "on=send match=b/back/a/x@s5 from=1 fail=1 message=no\n")
	seen := map[string]int{}
	for range 3 {
		_, lines, said := w.verified("-sample", "1/3", "fetch")
		if len(lines) != 2 {
			t.Errorf("%q: %s", lines, said)
		}
		for _, line := range lines {
			_, ds, _ := strings.Cut(line, " ")
			seen[ds]++
		}
	}
	if len(seen) != 6 {
		t.Errorf("three thirds are %v", seen)
	}
	for _, bad := range []string{"0/3", "4/3", "1", "x/3", "1/0", "-1/3"} {
		if code, said := w.ctl("verify", "-sample", bad, "fetch"); code != 2 {
			t.Errorf("%s: exit status %d: %s", bad, code, said)
		}
	}
}

// A copy that took the place of one that was verified was not.
func TestVerifyReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.verified("mirror")
	w.release("b/mirror/x")
	w.release("b/mirror/x/y")
	w.must("zfs", "destroy", "-r", "b/mirror/x")
	w.done("local", "mirror")
	if _, _, said := w.verified("-n", "mirror"); strings.Count(said, "\tnever verified\n") != 2 {
		t.Errorf("the new copy: %s", said)
	}
}

// Copies whose pool is not imported are not compared, which is a failure, and what
// is known of them is not forgotten.
func TestVerifyWithoutPool(t *testing.T) {
	t.Parallel()
	for job, copy := range map[string]string{"fetch": "b/back/a/x", "mirror": "b/mirror/x", "pushit": "b/sink/pusher/a/x"} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.fill("a/x", 3000)
			w.snapshot("s1")
			w.done(commandOf[job], job)
			w.damage(copy + "@s1")
			w.verified(job)
			w.must("zpool", "export", "b")
			code, lines, said := w.verified(job)
			if code != 1 || !strings.Contains(said, `cannot	a/x	`+copy+`	-	pool "b" is not imported: zpool import b`) ||
				slices.ContainsFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "cannot ") }) {
				t.Errorf("exit status %d: %s", code, said)
			}
			w.must("zpool", "import", "b")
			if _, _, said := w.verified("-n", job); !strings.Contains(said, "\tdiffered 20") {
				t.Errorf("forgotten: %s", said)
			}
		})
	}
}

// A note that cannot be written or read does not stop it, is told once, and stays;
// a damaged one is set aside, and a warning until all was compared again.
func TestVerifyNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.verified("mirror")
	for name, block := range map[string]string{"no room for a new one": "run/mirror.verified.new", "no file": "run/mirror.verified"} {
		was, _ := os.ReadFile(w.path(block))
		os.Remove(w.path(block))
		if err := os.Mkdir(w.path(block), 0o700); err != nil {
			t.Fatal(err)
		}
		code, lines, said := w.verified("mirror")
		if code != 1 || len(lines) != 2 || strings.Count(said, "cannot note what was found: ") != 1 {
			t.Errorf("%s: exit status %d: %s", name, code, said)
		}
		if err := os.Remove(w.path(block)); err != nil {
			t.Fatal(err)
		}
		if was != nil {
			w.write(block, string(was))
		}
	}
	w.write("run/mirror.verified", `{"b/mirror/x": {"tri`)
	code, lines, said := w.verified("-dataset", "a/x", "mirror")
	if code != 0 || len(lines) != 1 || !strings.Contains(said, "the note of what verify found is damaged, and is now ") {
		t.Errorf("exit status %d: %s", code, said)
	}
	if text, _ := os.ReadFile(w.path("run/mirror.verified.damaged")); string(text) != `{"b/mirror/x": {"tri` {
		t.Errorf("what was set aside is %q", text)
	}
	if code, said := w.ctl("monitor", "mirror"); code != 1 || !strings.Contains(said, "a/x/y: what was known of its data is lost (") || strings.Contains(said, "more") {
		t.Errorf("monitor: %d %s", code, said)
	}
	if code, _, said := w.verified("mirror"); code != 0 {
		t.Errorf("exit status %d: %s", code, said)
	}
	if code, said := w.ctl("monitor", "mirror"); code != 0 {
		t.Errorf("monitor: %d %s", code, said)
	}
}

// A copy that differed and whose source is gone is named until it is forgotten or
// gone.
func TestVerifySourceGone(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(w *world){
		"forgotten": func(w *world) {
			if code, said := w.ctl("forget", "mirror", "b/mirror/x/y"); code != 0 {
				w.t.Errorf("forget: %d %s", code, said)
			}
		},
		"destroyed": func(w *world) {
			w.release("b/mirror/x/y")
			w.must("zfs", "destroy", "-r", "b/mirror/x/y")
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.fill("a/x/y", 3000)
			w.snapshot("s1")
			w.done("local", "mirror")
			w.damage("b/mirror/x/y@s1")
			w.verified("mirror")
			w.release("a/x/y")
			w.must("zfs", "destroy", "-r", "a/x/y")
			for range 2 {
				code, lines, said := w.verified("mirror")
				if want := []string{"ok a/x", "skipped a/x/y"}; code != 0 || !slices.Equal(lines, want) || !strings.Contains(said, "@s1\tthe source is gone; it differed 20") {
					t.Errorf("exit status %d: %s", code, said)
				}
			}
			w.ctl("local", "mirror")
			end(w)
			if code, lines, said := w.verified("mirror"); code != 0 || !slices.Equal(lines, []string{"ok a/x"}) {
				t.Errorf("exit status %d: %s", code, said)
			}
		})
	}
}

// What a push job knows of a copy that differs does not depend on the record of its
// last run.
func TestVerifyPushRecordLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 3000)
	w.snapshot("s1")
	w.done("push", "pushit")
	w.damage("b/sink/pusher/a/x@s1")
	w.verified("pushit")
	if err := os.Remove(w.path("run/pushit.json")); err != nil {
		t.Fatal(err)
	}
	if code, said := w.ctl("monitor", "pushit"); code != 2 || !strings.Contains(said, "it differs from its source") {
		t.Errorf("monitor: %d %s", code, said)
	}
}
