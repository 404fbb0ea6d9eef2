package job_test

import (
	"os"
	"strings"
	"testing"
)

// TestImported: a configuration of zrepl with a local push and sink, imported,
// continues the copy that zrepl has made, and prunes both sides as zrepl did.
func TestImported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("zrepl_20260101_000000_000", "manual")
	w.write("zrepl.yml", `jobs:
- name: push_to_drive
  type: push
  connect: {type: local, listener_name: drive, client_identity: me}
  filesystems: {"a<": true, "a/secret<": false}
  send: {encrypted: true}
  replication: {protection: {initial: guarantee_resumability, incremental: guarantee_incremental}}
  snapshotting: {type: periodic, prefix: zrepl_, interval: 10m}
  pruning:
    keep_sender: [{type: not_replicated}, {type: last_n, count: 1, regex: "^zrepl_"}]
    keep_receiver: [{type: last_n, count: 2, regex: "^zrepl_"}]
- name: drive
  type: sink
  root_fs: b/sink
  serve: {type: local, listener_name: drive}
`)
	// What zrepl has left: placeholders, copies, holds and a cursor.
	w.must("zfs", "create", "-o", "mountpoint=none", "-o", "zrepl:placeholder=on", "b/sink")
	w.must("zfs", "create", "-o", "mountpoint=none", "-o", "zrepl:placeholder=on", "b/sink/me")
	for _, ds := range []string{"a", "a/x", "a/x/y", "a/z", "a/v"} {
		w.must("sh", "-c", "zfs send "+ds+"@zrepl_20260101_000000_000 | zfs receive -u b/sink/me/"+ds)
		w.must("zfs", "hold", "zrepl_last_received_J_push_to_drive", "b/sink/me/"+ds+"@zrepl_20260101_000000_000")
		if ds != "a/v" {
			w.must("zfs", "set", "readonly=on", "b/sink/me/"+ds)
		}
	}
	before := w.must("zfs", "get", "-Hp", "-o", "value", "guid", "b/sink/me/a/x")
	c := w.command("zreplctl", "import", w.path("zrepl.yml"))
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	w.write("c.yml", "global: {rundir: "+w.dir+"/run}\n"+string(out))
	if code, said := w.ctl("check"); code != 0 {
		t.Fatalf("check: %d %s\n%s", code, said, out)
	}
	if _, said := w.ctl("plan", "push_to_drive"); strings.Count(said, "uptodate\t") != 5 {
		t.Errorf("the plan sends a dataset again:\n%s", said)
	}
	for range 3 {
		if code, said := w.ctl("local", "push_to_drive"); code != 0 {
			t.Fatalf("local: %d %s", code, said)
		}
	}
	if after := w.must("zfs", "get", "-Hp", "-o", "value", "guid", "b/sink/me/a/x"); after != before {
		t.Errorf("the copy was made anew")
	}
	count := func(root, with string) (n int) {
		for _, s := range w.guids(root) {
			if strings.HasPrefix(s, "@"+with) {
				n++
			}
		}
		return n
	}
	// The target keeps two, and the one that zrepl holds.
	if lhs, rhs := count("a/x", "zrepl_"), count("b/sink/me/a/x", "zrepl_"); lhs != 1 || rhs != 3 {
		t.Errorf("%d on the source and %d on the target\n%q\n%q", lhs, rhs, w.guids("a/x"), w.guids("b/sink/me/a/x"))
	}
	if count("a/x", "manual") != 1 {
		t.Error("a snapshot of another name was destroyed")
	}
	if _, err := os.Stat(w.path("run")); err != nil {
		t.Error(err)
	}
	if code := w.command("zfs", "list", "b/sink/me/a/secret").Run(); code == nil {
		t.Error("what was left out was replicated")
	}
}
