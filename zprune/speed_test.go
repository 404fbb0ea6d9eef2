package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// timed runs a command on a file and returns how long it took, and the
// processor's time.
func timed(t *testing.T, in string, name string, args ...string) (wall, cpu time.Duration) {
	t.Helper()
	f, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdin = f
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return time.Since(begin), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// memory is the most that a command has used, in KiB, when it has read all of
// a file and waits for more; 0 where the system does not tell.
func memory(t *testing.T, in string, name string, args ...string) (kib int) {
	t.Helper()
	f, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(stdin, f); err != nil {
		t.Fatal(err)
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if _, text, ok := strings.Cut(string(status), "VmHWM:"); ok {
		fmt.Sscan(text, &kib)
	}
	return kib
}

// Many lines cost no more than sorting them, and no more memory than the
// largest dataset's.
func TestManyLines(t *testing.T) {
	datasets, tries := 100, 1
	if os.Getenv("ZT_HEAVY") != "" {
		datasets, tries = 1000, 5
	}
	const each = 1000
	file := filepath.Join(t.TempDir(), "lines")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for d := range datasets {
		for i := range each {
			at := 1_700_000_000 + i*600
			fmt.Fprintf(w, "tank/data/host%04d/fs@zrepl_%s\t%d\t%d\t0\n", d, time.Unix(int64(at), 0).UTC().Format("20060102_150405_000"), at, 1000+i*7)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	best := func(name string, args ...string) (wall time.Duration, kib int) {
		var cpu time.Duration
		for i := range tries {
			w, c := timed(t, file, name, args...)
			if i == 0 || w < wall {
				wall = w
			}
			if i == 0 || c < cpu {
				cpu = c
			}
		}
		kib = memory(t, file, name, args...)
		t.Logf("%-6s %d lines: %v, processor %v, %d KiB", filepath.Base(name), datasets*each, wall.Round(time.Millisecond), cpu.Round(time.Millisecond), kib)
		return wall, kib
	}
	wall, kib := best(filepath.Join(bin, "zprune"), "-grid", "1x1h(keep=all) | 24x1h | 35x1d | 6x30d")
	if kib > 32<<10 {
		t.Errorf("%d KiB of memory for datasets of %d snapshots", kib, each)
	}
	if sorted, _ := best("sort"); tries > 1 && wall > sorted*11/10 {
		t.Errorf("zprune takes %v, sort %v", wall, sorted)
	}
}
