package job_test

import (
	"bytes"
	"os"
	"syscall"
	"testing"
)

// TestClonesOriginGone: what a clone is to be made of is destroyed after the plan was
// made. The run plans again, and sends all of the clone.
func TestClonesOriginGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cloneJobs("hold", "share")
	w.must("zfs", "create", "-p", "a/x/origin")
	for _, s := range []string{"@s1", "@s2"} {
		w.must("zfs", "snapshot", "-r", "a/x"+s)
		w.done("local", "mirror")
	}
	w.must("zfs", "clone", "a/x/origin@s1", "a/x/clone")
	w.must("zfs", "snapshot", "a/x/clone@s3")
	w.write("sim/faults", "on=hold match=a/x/clone@s3 wait\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot,prune", "mirror")
	var said bytes.Buffer
	run.Stdout, run.Stderr = &said, &said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.find("zfs", " hold ", "a/x/clone@s3")
	w.must("zfs", "destroy", "b/mirror/x/origin@s1")
	os.Remove(w.path("sim/faults"))
	if err := run.Wait(); err != nil {
		t.Errorf("%v: %s", err, said.Bytes())
	}
	w.isCloneOf("b/mirror/x/clone", "-")
	w.sameGUID("a/x/clone@s3", "b/mirror/x/clone@s3")
}

// TestClonesKilled: a run that is killed in the stream of a clone leaves what the next
// one continues, and the snapshot that it is made of stays.
func TestClonesKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cloneJobs("hold", "share")
	w.must("zfs", "create", "-p", "a/x/origin")
	w.must("zfs", "snapshot", "-r", "a/x@s1")
	w.done("pull", "fetch")
	w.must("zfs", "clone", "a/x/origin@s1", "a/x/clone")
	w.fill("a/x/clone", 8<<20)
	w.must("zfs", "snapshot", "-r", "a/x@s2")
	w.write("sim/faults", "on=send match=a/x/clone@s2 wait=4000000\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "pull", "-skip", "snapshot,prune", "fetch")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.sends("a/x/clone@s2")
	run.Process.Signal(syscall.SIGKILL)
	run.Wait()
	w.gone()
	os.Remove(w.path("sim/faults"))
	if w.command("zfs", "destroy", "b/fetch/x/origin@s1").Run() == nil {
		t.Error("the origin could be destroyed")
	}
	w.done("pull", "fetch")
	w.isCloneOf("b/fetch/x/clone", "b/fetch/x/origin@s1")
	w.sameGUID("a/x/clone@s2", "b/fetch/x/clone@s2")
}
