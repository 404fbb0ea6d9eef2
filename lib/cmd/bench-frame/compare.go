package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// candidate is a pair of filters between the generator and the sink.
type candidate struct {
	name  string
	pair  [2][]string
	times []float64 // seconds
	peak  [2]int64  // KiB, of each filter
	cpu   []float64 // seconds that both filters together computed
}

// candidates are those that are installed. The first is what the others are
// measured by.
func candidates(self string) []*candidate {
	all := []*candidate{
		{name: "cat | cat", pair: [2][]string{{"cat"}, {"cat"}}},
		{name: "bare splice pair", pair: [2][]string{{self, "splice"}, {self, "splice"}}},
		{name: "zsend-frame -checksum none | zrecv-frame", pair: [2][]string{{"zsend-frame", "-checksum", "none"}, {"zrecv-frame"}}},
		{name: "zsend-frame -checksum crc32c | zrecv-frame", pair: [2][]string{{"zsend-frame", "-checksum", "crc32c"}, {"zrecv-frame"}}},
		{name: "pv -q | pv -q", pair: [2][]string{{"pv", "-q"}, {"pv", "-q"}}},
		{name: "mbuffer -q | mbuffer -q", pair: [2][]string{{"mbuffer", "-q"}, {"mbuffer", "-q"}}},
	}
	return slices.DeleteFunc(all, func(c *candidate) bool {
		_, err := exec.LookPath(c.pair[0][0])
		return err != nil
	})
}

func compare(size int64, rounds int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	all := candidates(self)
	for range rounds {
		for _, c := range all {
			if err := c.run(self, size); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	fmt.Printf("%d MiB, medians of %d rounds on this machine; times the throughput of:\n", size>>20, rounds)
	fmt.Printf("%-44s %8s %8s %8s %10s %17s\n", "", "MiB/s", "cat|cat", "splice", "CPU s/GiB", "peak memory, MiB")
	for _, c := range all {
		fmt.Printf("%-44s %8.0f %8.2f %8.2f %10.3f %9.1f %7.1f\n", c.name, float64(size>>20)/median(c.times),
			ratio(all[0], c), ratio(all[1], c), median(c.cpu)/(float64(size)/(1<<30)), float64(c.peak[0])/1024, float64(c.peak[1])/1024)
	}
	return nil
}

// ratio is how many times faster c is than base: the median over the rounds,
// each of which ran both.
func ratio(base, c *candidate) float64 {
	var r []float64
	for i := range c.times {
		r = append(r, base.times[i]/c.times[i])
	}
	return median(r)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// run runs generator | pair | sink once.
func (c *candidate) run(self string, size int64) error {
	n := strconv.FormatInt(size, 10)
	var cmds []*exec.Cmd
	var in *os.File
	begin := time.Now()
	for _, args := range [][]string{{self, "generate", n}, c.pair[0], c.pair[1], {self, "sink", n}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		if in != nil {
			cmd.Stdin = in
		}
		var r, w *os.File
		if len(cmds) < 3 {
			var err error
			if r, w, err = os.Pipe(); err != nil {
				return err
			}
			cmd.Stdout = w
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		for _, f := range []*os.File{in, w} {
			if f != nil {
				f.Close()
			}
		}
		in = r
		cmds = append(cmds, cmd)
	}
	var failed error
	cpu := 0.0
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil && failed == nil {
			failed = err
		}
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && (i == 1 || i == 2) {
			c.peak[i-1] = max(c.peak[i-1], int64(usage.Maxrss))
			cpu += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		}
	}
	c.cpu = append(c.cpu, cpu)
	c.times = append(c.times, time.Since(begin).Seconds())
	return failed
}
