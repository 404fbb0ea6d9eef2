package job_test

import (
	"os"
	"strings"
	"testing"
)

// A boot empties the run directory of the serving host, and a client identity
// still belongs to the job that used it.
func TestOwnerSurvivesReboot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(`- {name: fetch_too, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a<": b/too/a}}
`)
	w.write("c.yml", strings.Replace(w.read("c.yml"), "/run}", "/run, statedir: "+w.path("state")+"}", 1))
	reboot := func() {
		t.Helper()
		if err := os.RemoveAll(w.path("run")); err != nil {
			t.Fatal(err)
		}
	}
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	reboot()
	code, said := w.ctl("pull", "-skip", "prune", "fetch_too")
	if code != 1 || !strings.Contains(said, `identity "me" belongs to job "fetch"`) {
		t.Errorf("exit status %d: %s", code, said)
	}
	reboot()
	if code, said := w.ctl("forget", "offer"); code != 0 || said != "me\tfetch\n" {
		t.Errorf("forget: exit status %d: %s", code, said)
	}
	reboot()
	w.done("pull", "fetch_too")
}

// Holds for a client that was renamed are named by check, and by holds.
func TestHoldsOfRenamedClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.snapshot("s1")
	w.done("pull", "fetch")
	if _, said := w.ctl("check"); strings.Contains(said, "the hold") {
		t.Errorf("check: %s", said)
	}
	w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), "client_identity: me}", "client_identity: renamed}"))
	code, said := w.ctl("check")
	if code != 0 || !strings.Contains(said, `the hold "zreplctl_source_me" is on 2 snapshots, and no job here has that client`) {
		t.Errorf("check: exit status %d: %s", code, said)
	}
	if code, said := w.ctl("holds"); code != 0 || !strings.Contains(said, "a/x@s1\tzreplctl_source_me\t-\t") {
		t.Errorf("holds: exit status %d: %s", code, said)
	}
}

// Holds of jobs that were removed or renamed are named by check, where it looks
// at the snapshots anyway: on what a job offers, and on what a sink received.
func TestHoldsOfRemovedJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, ds := range []string{"a/x", "b/sink", "b/sink/x"} {
		w.must("zfs", "create", ds)
	}
	w.configure(`
global: {rundir: DIR/run}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a/x<": ok}}
- {name: take, type: push-sink, serve: {type: stdinserver, client_identity: you}, root: b/sink}
`)
	for _, ds := range []string{"a/x", "b/sink/x"} {
		w.must("zfs", "snapshot", ds+"@s1")
		for _, tag := range []string{"mine", "zreplctl_source_me", "zreplctl_last_take"} {
			w.must("zfs", "hold", tag, ds+"@s1")
		}
	}
	if code, said := w.ctl("check"); code != 0 || strings.Contains(said, "the hold") {
		t.Errorf("check: exit status %d: %s", code, said)
	}
	w.must("zfs", "hold", "zreplctl_push_old", "a/x@s1")
	w.must("zfs", "hold", "zreplctl_last_taken", "b/sink/x@s1")
	w.must("zfs", "hold", "zreplctl_push_offer", "a/x@s1") // of a job that had this one's name
	code, said := w.ctl("check")
	for _, want := range []string{
		`job "offer": the hold "zreplctl_push_old" is on 1 snapshot, and no job here has that name: if it was renamed or removed, zreplctl holds -release old releases what it left`,
		`job "take": the hold "zreplctl_last_taken" is on 1 snapshot, and no job here has that name: if it was renamed or removed, zreplctl holds -release taken releases what it left`,
		`the hold "zreplctl_push_offer" is on 1 snapshot, and the job of that name does not use it: if it was renamed or removed, zreplctl holds -release releases what it left`,
	} {
		if code != 0 || !strings.Contains(said, want) {
			t.Errorf("check: exit status %d: %s, want %s", code, said, want)
		}
	}
	if code, said := w.ctl("holds", "-release", "taken"); code != 0 || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "b/sink/x@s1\tzreplctl_last_taken\t-\t") {
		t.Errorf("holds -release: exit status %d: %s", code, said)
	}
}
