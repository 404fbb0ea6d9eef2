package zfssim

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestListsManySnapshots fills a pool in one go and measures zfs list as a
// process: a million snapshots with ZT_HEAVY, ten thousand without.
func TestListsManySnapshots(t *testing.T) {
	sets := heavy(100, 10000)
	s := newSandbox(t, "tank")
	start := time.Now()
	s.ok("fill", "tank/many", fmt.Sprint(sets), "100")
	t.Logf("fill of %d datasets with 100 snapshots each: %v", sets, time.Since(start).Round(time.Millisecond))

	lines, took, rss := s.measure("zfs", "list", "-Hp", "-t", "snapshot", "-o", "name,guid,createtxg")
	if lines != sets*100 {
		t.Errorf("%d lines", lines)
	}
	t.Logf("list of all: %d lines in %v, %d MB", lines, took.Round(time.Millisecond), rss>>20)
	all := took

	lines, took, rss = s.measure("zfs", "list", "-Hp", "-r", "-t", "snapshot", "-o", "name,guid,createtxg", "tank/many/d00050")
	if lines != 100 {
		t.Errorf("%d lines of one dataset", lines)
	}
	t.Logf("list of one: %d lines in %v, %d MB (all took %.0f times as long)", lines, took.Round(100*time.Microsecond), rss>>20, float64(all)/float64(took))

	_, took, _ = s.measure("zfs", "snapshot", "-r", "tank/many@again")
	t.Logf("snapshot -r of all: %v", took.Round(time.Millisecond))
	s.doesNotRead()
}

// doesNotRead takes away what -r of one dataset has no business with.
func (s *sandbox) doesNotRead() {
	s.t.Helper()
	hidden := s.root + "/pools/tank/ds/many/d00001/@snaps"
	if err := os.Rename(hidden, hidden+".away"); err != nil {
		s.t.Fatal(err)
	}
	write(s.t, hidden, "this is no list of snapshots\n")
	lines, _, _ := s.measure("zfs", "list", "-Hp", "-r", "-t", "snapshot", "-o", "name,guid,createtxg,creation", "tank/many/d00050")
	if lines != 101 {
		s.t.Errorf("%d lines", lines)
	}
}

// measure runs a command as a process: its lines, time and largest memory.
func (s *sandbox) measure(args ...string) (int, time.Duration, int64) {
	s.t.Helper()
	c := s.child(args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	start := time.Now()
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := 0
	r := bufio.NewScanner(out)
	for r.Scan() {
		lines++
	}
	if err := c.Wait(); err != nil {
		s.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return lines, time.Since(start), maxRSS(c)
}

func maxRSS(c *exec.Cmd) int64 {
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}
