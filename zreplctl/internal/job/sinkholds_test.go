package job_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestSinkHolds: a client that releases its holds hides no copy from the sink's
// monitor, and one that holds many snapshots keeps two from being pruned.
func TestSinkHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(strings.Replace(jobs, "rundir: DIR/run", "rundir: DIR/run, statedir: DIR/state", 1) + `- name: vault
  type: push-sink
  serve: {type: stdinserver, client_identity: laptop}
  root: b/t/laptop
  snapshot_prefix: zrepl_
  keep: [{type: last_n, count: 1}]
- name: give
  type: push
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, laptop]}
  datasets: {"a/h<": ok}
  initial_repl_policy: all
  snapshot_prefix: zrepl_
`)
	for _, ds := range []string{"a/h", "a/h/x", "a/h/y"} {
		w.must("zfs", "create", ds)
	}
	for i := range 6 {
		c := w.command("zfs", "snapshot", "-r", fmt.Sprintf("a/h@zrepl_%d", i))
		c.Env = append(c.Env, fmt.Sprintf("ZFS_SIM_NOW=%d", time.Now().Unix()-int64(6-i)*60))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	w.done("push", "give")
	if code, said := w.ctl("monitor", "vault"); code != 0 {
		t.Fatalf("monitor: %d %s", code, said)
	}
	const root = "b/t/laptop/a/h"
	snap := func(ds, name string) transfer.Snap {
		g, err := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", ds+"@"+name)))
		if err != nil {
			t.Fatal(err)
		}
		return transfer.Snap{Dataset: ds, Name: name, GUID: g}
	}
	var in transfer.Holds
	for i := range 5 {
		in.Hold = append(in.Hold, snap(root, fmt.Sprintf("zrepl_%d", i)))
	}
	for _, ds := range []string{root + "/x", root + "/y"} {
		in.Release = append(in.Release, snap(ds, "zrepl_5"))
	}
	h := w.attack("laptop", true)
	var bad transfer.Problems
	if err := h.Call(t.Context(), "protect", in, &bad); err != nil || len(bad) > 0 {
		t.Fatalf("%v, %v", bad, err)
	}
	h.leave()
	code, said := w.ctl("monitor", "vault")
	if code != 1 || !strings.Contains(said, "released its hold") || !strings.Contains(said, "1 more") {
		t.Errorf("monitor: %d %s", code, said)
	}
	if _, said = w.ctl("status", "-v", "vault"); !strings.Contains(said, root+"/x") || !strings.Contains(said, root+"/y") {
		t.Errorf("status -v: %s", said)
	}
	code, said = w.ctl("prune", "vault")
	if code != 0 || !strings.Contains(said, "released 3 holds") {
		t.Errorf("prune: %d %s", code, said)
	}
	w.ctl("prune", "vault")
	left := w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", root)
	if want := []string{root + "@zrepl_3", root + "@zrepl_4", root + "@zrepl_5"}; !slices.Equal(left, want) {
		t.Errorf("left are %q", left)
	}
	if code, said := w.ctl("forget", "vault", root); code == 0 || !strings.Contains(said, "still holds") {
		t.Errorf("forget what is held: %d %s", code, said)
	}
	if code, said := w.ctl("forget", "vault", root+"/x", root+"/y"); code != 0 {
		t.Errorf("forget: %d %s", code, said)
	}
	if code, said := w.ctl("monitor", "vault"); code != 0 {
		t.Errorf("monitor after forget: %d %s", code, said)
	}
}
