package job_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPull replicates twice and looks at what is there, protected and held.
func TestPull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.snapshot("s2", "s3")
	w.fill("a/x", 3000)
	w.snapshot("s4")
	w.done("pull", "fetch")
	for _, ds := range []string{"a/x", "a/z", "a/v"} {
		w.same(ds, "b/back/"+ds)
	}
	if code, _ := w.ctl("plan", "fetch"); code != 0 {
		t.Errorf("plan: exit status %d", code)
	}
	w.equal("placeholders", w.local("zreplctl:placeholder", "b"), "b/back on")
	w.equal("send options", w.local("zreplctl:send", "b"), "b/back/a L", "b/back/a/v L", "b/back/a/x L", "b/back/a/x/y L", "b/back/a/z L")
	var want []string
	for _, ds := range []string{"a", "a/v", "a/x", "a/x/y", "a/z"} {
		want = append(want, ds+"@s4 zreplctl_source_me", "b/back/"+ds+"@s4 zreplctl_last_fetch")
	}
	w.equal("holds", w.holds(), want...)
	if got := w.lines("zfs", "list", "-H", "-o", "name", "-r", "b"); slices.Contains(got, "b/back/a/secret") {
		t.Error("a dataset that is not offered was replicated")
	}
}

// local lists the datasets below root that have a property of their own.
func (w *world) local(property, root string) []string {
	var out []string
	for _, line := range w.lines("zfs", "get", "-H", "-r", "-s", "local", "-t", "filesystem,volume", "-o", "name,value", property, root) {
		out = append(out, strings.ReplaceAll(line, "\t", " "))
	}
	slices.Sort(out)
	return out
}

// TestClients lets several jobs replicate the same datasets, each by its own
// way and with its own cursor.
func TestClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	all := [][2]string{{"pull", "fetch"}, {"pull", "fetch4"}, {"local", "mirror"}, {"local", "marks"}, {"push", "pushit"}}
	w.snapshot("s1")
	for _, j := range all {
		w.done(j[0], j[1])
	}
	w.snapshot("s2", "s3")
	for _, j := range all {
		w.done(j[0], j[1])
	}
	for _, target := range []string{"b/back/a/x", "b/back4/a/x", "b/mirror/x", "b/marks/x", "b/sink/pusher/a/x"} {
		w.same("a/x", target)
	}
	var at []string
	for _, h := range w.holds() {
		if strings.HasPrefix(h, "a/x@") {
			at = append(at, h)
		}
	}
	w.equal("holds on the source", at, "a/x@s3 zreplctl_source_me", "a/x@s3 zreplctl_source_other",
		"a/x@s3 zreplctl_local_mirror", "a/x@s3 zreplctl_push_pushit")
	marks := w.lines("zfs", "list", "-H", "-t", "bookmark", "-o", "name", "-r", "a/x")
	if len(marks) != 4 || !strings.HasPrefix(marks[0], "a/x#zreplctl_local_marks_") || !strings.HasPrefix(marks[3], "a/x/y#zreplctl_local_marks_") {
		t.Errorf("bookmarks %q", marks)
	}
}

// TestAbandon lets go of what jobs hold, on both sides, and of what belongs to
// no job.
func TestAbandon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch4")
	w.done("local", "marks")
	w.must("zfs", "hold", "zreplctl_source_gone", "a@s1")
	w.must("zfs", "hold", "theirs", "a@s1")
	if code, said := w.ctl("abandon", "fetch4"); code != 0 || strings.Count(said, "\n") != 4 {
		t.Errorf("abandon: %d, %s", code, said)
	}
	before := w.holds()
	for _, args := range [][]string{{"-release", "-n"}, {"-release"}} {
		w.equal("holds", w.holds(), before...)
		if code, said := w.ctl(append([]string{"holds"}, args...)...); code != 0 || !strings.HasPrefix(said, "a@s1\tzreplctl_source_gone\t-\t20") || strings.Count(said, "\n") != 1 {
			t.Errorf("holds %q: %d, %s", args, code, said)
		}
	}
	w.equal("holds", w.holds(), "a@s1 theirs", "b/marks/x@s1 zreplctl_last_marks", "b/marks/x/y@s1 zreplctl_last_marks")
	if code, said := w.ctl("abandon", "marks"); code != 0 {
		t.Errorf("abandon: %d, %s", code, said)
	}
	w.equal("holds", w.holds(), "a@s1 theirs")
	if marks := w.lines("zfs", "list", "-H", "-t", "bookmark", "-o", "name"); len(marks) != 0 {
		t.Errorf("bookmarks %q", marks)
	}
}

// TestReturn has a job that was abandoned, or whose holds were released, hold
// again what both sides have, though there is nothing to send; also where a
// person released them with zfs(8).
func TestReturn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	held := w.holds()
	for _, command := range []string{"abandon", "holds -release"} {
		if code, said := w.ctl(append(strings.Fields(command), "mirror")...); code != 0 || len(w.holds()) != 0 {
			t.Fatalf("%s: exit status %d, left %q\n%s", command, code, w.holds(), said)
		}
		w.done("local", "mirror")
		w.equal("holds after "+command, w.holds(), held...)
	}
	w.must("zfs", "release", "zreplctl_local_mirror", "a/x@s1")
	w.must("zfs", "release", "zreplctl_last_mirror", "b/mirror/x/y@s1")
	w.done("local", "mirror")
	w.equal("holds after a release by hand", w.holds(), held...)
}

// aged makes a job's mark as old as one that is not relied on.
func (w *world) aged(job string) {
	w.t.Helper()
	yesterday := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(w.path("run/"+job+".tidy"), yesterday, yesterday); err != nil {
		w.t.Fatal(err)
	}
}

// TestTidy finds a stale hold and a token whose snapshot is gone.
func TestTidy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1", "s2", "s3")
	w.done("local", "mirror")
	w.must("zfs", "hold", "zreplctl_local_mirror", "a/x@s1", "a/x/y@s1")
	w.must("zfs", "hold", "theirs", "a/x@s1")
	w.fill("a/x", 3<<20)
	w.snapshot("s4")
	w.write("sim/faults", "on=send match=a/x@s4 cut=1000000\n")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 {
		t.Fatalf("a cut send: exit status %d\n%s", code, said)
	}
	w.write("sim/faults", "")
	if token := w.must("zfs", "get", "-H", "-o", "value", "receive_resume_token", "b/mirror/x"); len(token) < 20 {
		t.Fatalf("no token: %q", token)
	}
	w.equal("holds behind the cut", w.holds(), "a/x@s1 theirs", "a/x@s1 zreplctl_local_mirror", "a/x@s3 zreplctl_local_mirror", "a/x@s4 zreplctl_local_mirror",
		"a/x/y@s1 zreplctl_local_mirror", "a/x/y@s4 zreplctl_local_mirror", "b/mirror/x@s3 zreplctl_last_mirror", "b/mirror/x/y@s4 zreplctl_last_mirror")
	w.aged("mirror")
	w.must("zfs", "release", "zreplctl_local_mirror", "a/x@s4")
	w.must("zfs", "destroy", "a/x@s4")
	w.snapshot("s5")
	said := w.done("local", "mirror")
	for _, word := range []string{"discarding the partial receive", "released"} {
		if !strings.Contains(said, word) {
			t.Errorf("does not say %q: %s", word, said)
		}
	}
	if have := w.guids("b/mirror/x"); !slices.Equal(have, w.guids("a/x")[len(w.guids("a/x"))-len(have):]) && len(have) != 5 {
		t.Errorf("the target has %q", have)
	}
	w.equal("holds", w.holds(), "a/x@s1 theirs", "a/x@s5 zreplctl_local_mirror", "a/x/y@s5 zreplctl_local_mirror",
		"b/mirror/x@s5 zreplctl_last_mirror", "b/mirror/x/y@s5 zreplctl_last_mirror")
}

// TestResume cuts a send and sees that the next run sends only the rest.
func TestResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 20<<20)
	w.snapshot("s1")
	w.write("sim/faults", "on=send match=a/x@s1 cut=12000000\n")
	if code, said := w.ctl("pull", "-skip", "prune", "fetch"); code != 1 || !strings.Contains(said, `cannot replicate "a/x" to "b/back/a/x": zfs send on the sender: `) {
		t.Fatalf("a cut send: exit status %d\n%s", code, said)
	}
	w.same("a/z", "b/back/a/z")
	w.done("pull", "fetch")
	w.same("a/x", "b/back/a/x")
	var sent []string
	for _, line := range w.logged("send") {
		if strings.Contains(line, "-t 1-") {
			sent = append(sent, line)
		}
	}
	if len(sent) != 1 {
		t.Errorf("resumed %d times", len(sent))
	}
}

// TestFullReceiver sees that what was received before there was no more space
// is kept, twice, until there is.
func TestFullReceiver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 20<<20)
	w.snapshot("s1")
	for range 2 {
		w.write("sim/faults", "on=recv match=b/back/a/x from=1 nospace=8000000\n")
		if code, said := w.ctl("pull", "-skip", "prune", "fetch"); code != 1 || !strings.Contains(said, "out of space") || strings.Contains(said, "starting it again") {
			t.Fatalf("a full receiver: exit status %d\n%s", code, said)
		}
		if token := w.must("zfs", "get", "-H", "-o", "value", "receive_resume_token", "b/back/a/x"); len(token) < 20 {
			t.Fatalf("no token: %q", token)
		}
	}
	w.write("sim/faults", "")
	w.done("pull", "fetch")
	w.same("a/x", "b/back/a/x")
}

// logged lists the arguments of the simulator's commands so far.
func (w *world) logged(command string) []string {
	w.t.Helper()
	text, err := os.ReadFile(w.path("sim/log"))
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) < 6 || f[0] != "start" {
			continue
		}
		args := strings.TrimPrefix(f[5], "zfs ")
		if command == "" || strings.HasPrefix(args, command+" ") {
			out = append(out, args)
		}
	}
	return out
}

// TestCost counts zfs commands, of both sides together. Before each stream one
// looks whether its snapshot is encrypted now: an answer from the list would be
// old by then. Batches begin by the clock, so that a busy machine has more of
// them: never one for each dataset.
func TestCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 30
	w.must("zfs", "create", "a/x")
	for i := range n {
		w.must("zfs", "create", fmt.Sprintf("a/x/%d", i))
	}
	w.snapshot("s1")
	w.done("local", "mirror")
	count := func() (listing, looks, streams, other int) {
		w.write("sim/log", "")
		w.done("local", "mirror")
		for _, c := range w.logged("") {
			if strings.Contains(c, "load_guid") { // of the pools: it looks at no dataset
				continue
			}
			switch verb, _, _ := strings.Cut(c, " "); verb {
			case "send", "receive":
				streams++
			case "get":
				if strings.Contains(c, "encryption,guid ") { // of the one snapshot that is about to be sent
					looks++
				} else {
					listing++
				}
			case "list", "holds":
				listing++
			default:
				other++
			}
		}
		return
	}
	if l, k, s, o := count(); l > 6 || k+s+o != 0 { // of each side datasets, versions and what holds the bases
		t.Errorf("nothing to do: %d listings, %d streams, %d others", l, s, o)
	}
	w.snapshot("s2")
	l, k, s, o := count()
	t.Logf("%d datasets with a new snapshot: %d listings, %d looks, %d streams, %d others", n+1, l, k, s, o)
	// Each of two holds and two releases of all at once costs two or three looks
	// at what is around them.
	if s != 2*(n+1) || k != n+1 || l > 6+11 || o > 5 {
		t.Errorf("too many: %d listings, %d looks, %d streams, %d others", l, k, s, o)
	}
}
