package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cost is what runs have taken. Programs that a framer runs, but for zfs, are
// counted with it.
type cost struct {
	time     map[string]time.Duration // processor time by program
	elapsed  time.Duration
	commands map[string]int           // by host and verb
	verbs    map[string]time.Duration // what those took
	peak     map[string]int           // KiB of memory, by program
}

func (c *cost) add(more cost) {
	if c.time == nil {
		*c = more
		return
	}
	c.elapsed += more.elapsed
	for name, d := range more.time {
		c.time[name] += d
	}
	for name, n := range more.commands {
		c.commands[name] += n
	}
	for name, d := range more.verbs {
		c.verbs[name] += d
	}
	for name, n := range more.peak {
		c.peak[name] = max(c.peak[name], n)
	}
}

// ours are the programs that are not the simulator.
var ours = []string{"zreplctl", "serve", "zrecv-frame", "zsend-frame"}

// all is the processor time of ours.
func (c cost) all() (sum time.Duration) {
	for _, name := range ours {
		sum += c.time[name]
	}
	return sum
}

func (c cost) table(datasets int, first cost) string {
	var s strings.Builder
	line := func(name string, d, before time.Duration) {
		fmt.Fprintf(&s, "  %-14s %8.2f s  %7.3f ms a dataset  %5.2f of the first\n", name, d.Seconds(),
			d.Seconds()*1000/float64(datasets), d.Seconds()/max(before.Seconds(), 1e-6))
	}
	for _, name := range append(slices.Clone(ours), "zfs-sim") {
		line(name, c.time[name], first.time[name])
	}
	line("all but zfs-sim", c.all(), first.all())
	line("elapsed", c.elapsed, first.elapsed)
	for _, name := range ours[:2] {
		fmt.Fprintf(&s, "  %-14s %8.1f MiB at most  %5.2f of the first\n", name, float64(c.peak[name])/1024,
			float64(c.peak[name])/float64(max(first.peak[name], 1)))
	}
	s.WriteString("  zfs commands: ")
	for _, name := range slices.Sorted(maps.Keys(c.commands)) {
		fmt.Fprintf(&s, " %s %d (%.1f s)", name, c.commands[name], c.verbs[name].Seconds())
	}
	s.WriteString("\n")
	return s.String()
}

// start is the processor time that a program takes which ends at once.
func start(args ...string) (time.Duration, error) {
	const times = 100
	var sum time.Duration
	for range times {
		cmd := exec.Command(args[0], args[1:]...)
		if err := cmd.Run(); err != nil {
			return 0, fmt.Errorf("%v: %w", args, err)
		}
		sum += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return sum / times, nil
}

// calibrate measures what a command of zfs-sim takes before and after it can
// log its time.
func (b *bench) calibrate(programs string) error {
	b.unlogged = 0
	log := b.path("calibrate.log")
	os.Setenv("ZFS_SIM_LOG", log)
	os.Setenv("ZFS_SIM_ROOT", b.path(source))
	defer os.Unsetenv("ZFS_SIM_LOG")
	defer os.Unsetenv("ZFS_SIM_ROOT")
	if err := b.arrange(programs); err != nil {
		return err
	}
	took, err := start(b.path("bin/zfs"), "list", source)
	if err != nil {
		return err
	}
	c := cost{commands: map[string]int{}, verbs: map[string]time.Duration{}}
	sum, err := b.readLog("calibrate", &c)
	if n := c.commands["calibrate list"]; n > 0 {
		b.unlogged = max(0, took-sum/time.Duration(n))
	}
	return err
}

// readLog counts a host's zfs commands by verb, and sums up their time.
func (b *bench) readLog(host string, c *cost) (sum time.Duration, err error) {
	path := b.path(host + ".log")
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) < 8 || f[0] != "exit" {
			continue
		}
		words := strings.Fields(f[5])
		us, err := strconv.Atoi(f[7])
		if err != nil || len(words) < 2 {
			return 0, fmt.Errorf("%s: cannot read %q", path, line)
		}
		took := time.Duration(us)*time.Microsecond + b.unlogged
		c.commands[host+" "+words[1]]++
		c.verbs[host+" "+words[1]] += took
		sum += took
	}
	return sum, nil
}
