package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// measured runs a command on a file and returns how long it took, the
// processor's time, and its largest memory in KiB.
func measured(t *testing.T, in string, name string, args ...string) (wall, cpu time.Duration, memory int64) {
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
	s := cmd.ProcessState
	return time.Since(begin), s.UserTime() + s.SystemTime(), int64(s.SysUsage().(*syscall.Rusage).Maxrss)
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
	best := func(name string, args ...string) (wall, cpu time.Duration, memory int64) {
		for i := range tries {
			w, c, m := measured(t, file, name, args...)
			if i == 0 || w < wall {
				wall = w
			}
			if i == 0 || c < cpu {
				cpu = c
			}
			memory = max(memory, m)
		}
		t.Logf("%-6s %d lines: %v, processor %v, %d KiB", filepath.Base(name), datasets*each, wall.Round(time.Millisecond), cpu.Round(time.Millisecond), memory)
		return wall, cpu, memory
	}
	wall, _, memory := best(filepath.Join(bin, "zprune"), "-grid", "1x1h(keep=all) | 24x1h | 35x1d | 6x30d")
	if memory > 32<<10 {
		t.Errorf("%d KiB of memory for datasets of %d snapshots", memory, each)
	}
	if sorted, _, _ := best("sort"); tries > 1 && wall > sorted*11/10 {
		t.Errorf("zprune takes %v, sort %v", wall, sorted)
	}
}
