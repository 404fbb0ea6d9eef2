package job_test

import (
	"os"
	"strings"
	"testing"
)

// TestUnsent prunes by not_replicated behind a first stream that was cut: the
// hold on what was being sent is no sign that the partner has anything.
func TestUnsent(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"hold", "bookmark"} {
		w := newWorld(t)
		w.must("zfs", "create", "a/x")
		w.fill("a/x", 1<<20)
		w.extend(`- name: unsent
  type: local
  mapping: {"a/x": b/unsent}
  snapshot_prefix: s
  shared_prefix: true
  cursor: ` + cursor + `
  prune_lhs: {keep: [{type: not_replicated}]}
`)
		w.snapshot("s1", "s2", "s3")
		w.write("sim/faults", "on=receive n=1 cut=400000\n")
		for _, args := range [][]string{{"local", "-skip", "snapshot", "unsent"}, {"prune", "unsent"}} {
			code, said := w.ctl(args...)
			t.Logf("%q: %d %s", args, code, said)
			w.equal("snapshots", w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "a/x"), "a/x@s1", "a/x@s2", "a/x@s3")
		}
		w.write("sim/faults", "")
		if code, said := w.ctl("local", "-skip", "snapshot", "unsent"); code != 0 {
			t.Errorf("%d %s", code, said)
		}
		w.equal("snapshots", w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "a/x"), "a/x@s3")
	}
}

// TestSuccessStays: the time of the last good run is known behind one that
// failed.
func TestSuccessStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.snapshot("s2")
	w.write("sim/faults", "on=send from=1 fail message=warning: cannot send: Input/output error\n")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 {
		t.Fatal(code, said)
	}
	_, said := w.ctl("status", "-json")
	_, job, _ := strings.Cut(said, `"name":"mirror"`)
	job, _, _ = strings.Cut(job, `"name":`)
	if !strings.Contains(job, `"success":"`) || !strings.Contains(job, `"state":"failed"`) {
		t.Errorf("%s", job)
	}
}

// TestReaderGone: a reader of the output that goes away stops no run.
func TestReaderGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	c := w.command("zreplctl", "-config", w.path("c.yml"), "local", "mirror")
	c.Stdout = out
	err = c.Run()
	out.Close()
	t.Log(err)
	if n := len(w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "b/mirror")); n != 2 {
		t.Errorf("%d snapshots arrived", n)
	}
}
