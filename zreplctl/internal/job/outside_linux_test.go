package job_test

import (
	"bufio"
	"encoding/json"
	"os"
	"syscall"
	"testing"
	"time"
)

// sending are the bytes of what a job sends just now, 0 if it sends nothing.
func (j shown) sending() (bytes uint64) {
	for _, r := range j.Progress.Datasets {
		if r.State == "sending" {
			bytes += r.Bytes
		}
	}
	return bytes
}

// TestOutside: status shows how far a run is that no daemon has started, as long
// as it lives, and status -watch follows it.
func TestOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 8<<20)
	w.snapshot("s1")
	w.write("sim/faults", "on=send match=a/x@s1 wait=1000000\n")
	watch := w.command("zreplctl", "-config", w.path("c.yml"), "status", "-json", "-watch")
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer watch.Wait()
	defer watch.Process.Signal(syscall.SIGTERM)
	run := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot,prune", "mirror")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer run.Wait()
	defer run.Process.Kill()
	lines, followed := bufio.NewScanner(out), false
	lines.Buffer(nil, 16<<20)
	for !followed && lines.Scan() {
		var s struct{ Jobs []shown }
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		for _, j := range s.Jobs {
			followed = followed || j.Name == "mirror" && j.State == "running" && j.sending() > 0
		}
	}
	if !followed {
		t.Fatalf("the run was not seen: %v", lines.Err())
	}
	if got := w.shown("mirror"); got.State != "running" || got.sending() == 0 {
		t.Errorf("status: %+v", got)
	}
	note := w.path("run/mirror.progress")
	if info, err := os.Stat(note); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the note: %v, %v", info, err)
	}
	run.Process.Kill()
	run.Wait()
	for end := time.Now().Add(patience); len(w.processes()) > 1 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := os.Stat(note); err != nil {
		t.Fatalf("a run that was killed removed its note: %v", err)
	}
	if got := w.shown("mirror"); got.State != "failed" || got.sending() > 0 {
		t.Errorf("a run that was killed: %+v", got)
	}
	w.write("sim/faults", "")
	w.done("local", "mirror")
	if _, err := os.Stat(note); !os.IsNotExist(err) {
		t.Errorf("the note of a run that has ended: %v", err)
	}
}
