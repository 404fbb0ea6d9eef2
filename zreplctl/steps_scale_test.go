package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStepsAtScale holds steps against sort(1) on the same two lists: 10,000
// datasets of 100 versions each with ZT_HEAVY, few without.
func TestStepsAtScale(t *testing.T) {
	datasets, heavy := 200, os.Getenv("ZT_HEAVY") != ""
	if heavy {
		datasets = 10000
	}
	dir := t.TempDir()
	source, target := filepath.Join(dir, "source"), filepath.Join(dir, "target")
	writeScale(t, source, target, datasets)
	bin := filepath.Join(dir, "zreplctl")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	steps, memory := timed(t, bin, "steps", "-r", "tank<=backup/prod1/tank", source, target)
	sorted, _ := timed(t, "sort", source, target)
	t.Logf("%d datasets: steps %.2f s of processor time, sort %.2f s, ratio %.2f; peak memory %d MiB",
		datasets, steps.Seconds(), sorted.Seconds(), steps.Seconds()/sorted.Seconds(), memory>>20)
	if memory > 400<<20 {
		t.Errorf("peak memory %d MiB", memory>>20)
	}
	if heavy && steps > sorted*3/2 {
		t.Errorf("steps took %v, sort %v", steps, sorted)
	}
}

// writeScale makes lists in which each target lags, every tenth by two
// snapshots and one in a hundred by half.
func writeScale(t *testing.T, source, target string, datasets int) {
	t.Helper()
	var files [2]*os.File
	var out [2]*bufio.Writer
	for i, name := range []string{source, target} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i], out[i] = f, bufio.NewWriter(f)
	}
	fmt.Fprintf(out[1], "backup/prod1/tank\t1\t1\n")
	rng := rand.New(rand.NewPCG(7, 7))
	for d := range datasets {
		ds := fmt.Sprintf("tank/group%02d/dataset%05d", d%50, d)
		lag := map[bool]int{true: 2}[d%10 == 0]
		if d%100 == 0 {
			lag = 50
		}
		fmt.Fprintf(out[0], "%s\t%d\t%d\n", ds, rng.Uint64()|1, d+1)
		fmt.Fprintf(out[1], "backup/prod1/%s\t%d\t%d\n", ds, rng.Uint64()|1, d+1)
		for v := range 100 {
			line := fmt.Sprintf("%s@zrepl_20260101_%06d_000\t%d\t%d\n", ds, v, rng.Uint64()|1, 1000*(v+1)+d)
			out[0].WriteString(line)
			if v < 100-lag {
				out[1].WriteString("backup/prod1/" + line)
			}
		}
	}
	for _, w := range out {
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

// timed runs a command and returns its processor time, which other work on the
// machine disturbs less than the clock, and its peak memory in bytes.
func timed(t *testing.T, args ...string) (time.Duration, int64) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v: %s", args, err, errs.String())
	}
	unit := int64(1024) // ru_maxrss is in KiB, but for illumos
	if runtime.GOOS == "illumos" {
		unit = 1
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), int64(usage.Maxrss) * unit
}
