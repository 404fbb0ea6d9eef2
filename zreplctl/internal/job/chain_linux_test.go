package job_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestPruneInChain kills a run in the middle of a chain, and prunes the sending
// side: what the receiver has by then is still there, and the next run goes on.
func TestPruneInChain(t *testing.T) {
	for _, cursor := range []string{"hold", "bookmark"} {
		t.Run(cursor, func(t *testing.T) { pruneInChain(t, cursor, false, false) })
		t.Run(cursor+" without notes", func(t *testing.T) { pruneInChain(t, cursor, false, true) })
	}
	t.Run("marked", func(t *testing.T) { pruneInChain(t, "hold", true, false) })
	t.Run("marked without notes", func(t *testing.T) { pruneInChain(t, "hold", true, true) })
}

// Marked says that the base has a bookmark and no hold, as when a dataset has
// left the job and come back. Lost says that after the kill nothing is left of
// what the runs have noted.
func pruneInChain(t *testing.T, cursor string, marked, lost bool) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.extend(`- name: chain
  type: local
  mapping: {"a/x": b/chain}
  snapshot_prefix: s
  shared_prefix: true
  cursor: ` + cursor + `
  prune_lhs: {keep: [{type: last_n, count: 1}]}
- name: other
  type: prune
  datasets: {"a/x": ok}
  snapshot_prefix: s
  shared_prefix: true
  keep: [{type: last_n, count: 1}]
`)
	w.snapshot("s1")
	w.done("local", "chain")
	if marked {
		w.must("zfs", "bookmark", "a/x@s1", fmt.Sprintf("a/x#zreplctl_local_chain_%016x", uint64(w.guid("a/x@s1"))))
		w.must("zfs", "release", "zreplctl_local_chain", "a/x@s1")
	}
	for _, name := range []string{"s2", "s3", "s4", "s5", "s6", "s7"} {
		w.fill("a/x", 200_000)
		w.snapshot(name)
	}
	w.write("sim/faults", "on=send wait=700000\n") // some of the snapshots have passed by then
	c := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot,prune", "chain")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.waitFor("some have arrived", func() bool { return len(w.guids("b/chain")) >= 3 })
	c.Process.Kill()
	c.Wait()
	w.gone()
	w.write("sim/faults", "")
	arrived := w.guids("b/chain")
	if len(arrived) < 3 || len(arrived) > 6 {
		t.Fatalf("the run was killed with %q there", arrived)
	}
	if lost {
		for _, dir := range []string{"run", "state"} {
			if err := os.RemoveAll(w.path(dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// So does a job that only prunes for it.
	for _, job := range []string{"chain", "other"} {
		if code, said := w.ctl("prune", job); code != 0 {
			t.Fatal(code, said)
		}
	}
	if last := arrived[len(arrived)-1]; !slices.Contains(w.guids("a/x"), last) {
		t.Errorf("%s was destroyed, and the sender has %q", last, w.guids("a/x"))
	}
	w.done("local", "chain")
	if got := w.guids("b/chain"); got[len(got)-1] != w.guids("a/x")[len(w.guids("a/x"))-1] {
		t.Errorf("the copy has %q", got)
	}
	if marked { // the bookmark stays, and the stream counts as under way until its end is not the cursor
		w.snapshot("s8")
		w.done("local", "chain")
	}
	if code, said := w.ctl("prune", "chain"); code != 0 || len(w.guids("a/x")) != 1 {
		t.Errorf("%d, and the sender has %q: %s", code, w.guids("a/x"), said)
	}
}
