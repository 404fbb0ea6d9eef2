package job_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestHealthCut: a source does not count a snapshot as arrived because a stream
// to it was cut, however far the base is behind.
func TestHealthCut(t *testing.T) {
	t.Parallel()
	for _, between := range []int{0, 8} {
		w := ends(t)
		w.taken(months, "s1")
		w.copied()
		for i := range between {
			w.taken(time.Hour*time.Duration(20-i), fmt.Sprintf("s2%d", i))
		}
		w.fill("a/x", 8<<20)
		w.taken(0, "s3")
		w.write("sim/faults", "on=send match=a/x@s3 wait=1000000\n")
		run := w.command("zreplctl", "-config", w.path("c.yml"), "pull", "-skip", "prune", "fetch")
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		w.find("zfs", " send ", "a/x@s3")
		w.says("a stream is under way", "offer", "late", 2, "5 months old")
		run.Process.Signal(syscall.SIGKILL)
		run.Wait()
		w.gone()
		w.says("a stream was cut", "offer", "late", 2, "5 months old")
		os.Remove(w.path("state/me.sessions"))
		w.says("a stream was cut, statedir lost", "offer", "late", 2, "5 months old")
		os.Remove(w.path("sim/faults"))
		w.done("pull", "fetch")
		w.says("it arrived", "offer", "ok", 0, "")
	}
}
