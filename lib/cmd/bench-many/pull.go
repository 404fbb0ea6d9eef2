package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pull runs the job once.
func (b *bench) pull(programs string) (cost, error) {
	c := cost{time: map[string]time.Duration{}, commands: map[string]int{}, verbs: map[string]time.Duration{}, peak: map[string]int{}}
	if err := b.arrange(programs); err != nil {
		return c, err
	}
	cmd := exec.Command(programs+"/zreplctl", "-config", b.path("config"), "pull", "-skip", "snapshot,prune", "fetch")
	cmd.Env = []string{"PATH=" + b.path("bin") + ":" + programs + ":/usr/bin:/bin",
		"ZFS_SIM_ROOT=" + b.path(target), "ZFS_SIM_LOG=" + b.path(target+".log")}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return c, err
	}
	watch := watcher{pid: cmd.Process.Pid, seen: map[int]usage{}}
	if err := watch.run(); err != nil {
		return c, err
	}
	c.elapsed = time.Since(began)
	main, err := read(watch.pid) // it is a zombie, and complete
	if err != nil {
		return c, err
	}
	if err := cmd.Wait(); err != nil {
		return c, fmt.Errorf("%s/zreplctl pull: %w: %.2000s", programs, err, said.String())
	}
	return c, b.divide(&c, main, &watch)
}

// arrange makes what zreplctl runs: zfs and zpool, and the server.
func (b *bench) arrange(programs string) error {
	os.RemoveAll(b.path("bin"))
	if err := os.Mkdir(b.path("bin"), 0o700); err != nil {
		return err
	}
	for _, name := range []string{"zfs", "zpool"} {
		if err := os.Symlink(programs+"/zfs-sim", filepath.Join(b.path("bin"), name)); err != nil {
			return err
		}
	}
	for _, host := range []string{source, target} {
		os.Remove(b.path(host + ".log"))
	}
	script := fmt.Sprintf("#!/bin/sh\nZFS_SIM_ROOT=%s ZFS_SIM_LOG=%s exec %s/zreplctl -config %s serve me\n",
		b.path(source), b.path(source+".log"), programs, b.path("config"))
	return os.WriteFile(b.path("serve"), []byte(script), 0o700)
}

// divide tells what each program has taken. What a framer takes is what its
// parent's children have, without the others of them.
func (b *bench) divide(c *cost, main usage, watch *watcher) error {
	var serve, below time.Duration
	for _, u := range watch.seen {
		serve += u.self
		below += u.children
		c.peak["serve"] = max(c.peak["serve"], u.peak)
	}
	c.peak["zreplctl"] = watch.peak
	var sim time.Duration
	sums := map[string]time.Duration{}
	for _, host := range []string{source, target} {
		sum, err := b.readLog(host, c)
		if err != nil {
			return err
		}
		sums[host] = sum
		sim += sum
	}
	c.time["zfs-sim"] = sim
	c.time["zreplctl"], c.time["serve"] = main.self, serve
	c.time["zsend-frame"] = below - sums[source]
	c.time["zrecv-frame"] = main.children - serve - below - sums[target]
	return nil
}

// usage is what a process and its children that have ended took.
type usage struct {
	self, children time.Duration
	peak           int // KiB
}

// watcher looks at a process and its children that serve until it has ended,
// and leaves the zombie.
type watcher struct {
	pid  int
	seen map[int]usage // of the servers, when they were last seen
	peak int
}

func (w *watcher) run() error {
	over := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			w.look()
			select {
			case <-over:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	err := awaitEnd(w.pid)
	close(over)
	all.Wait()
	return err
}

func (w *watcher) look() {
	w.peak = max(w.peak, peak(w.pid))
	for _, pid := range children(w.pid) {
		if _, known := w.seen[pid]; !known && !serves(pid) {
			continue
		}
		u, err := read(pid)
		if err != nil {
			continue
		}
		for _, framer := range children(pid) { // that has not ended
			of, _ := read(framer)
			u.children += of.self + of.children
		}
		if u.children < w.seen[pid].children { // the last were not waited for
			u.children = w.seen[pid].children
		}
		u.peak = max(w.seen[pid].peak, peak(pid))
		w.seen[pid] = u
	}
}

func children(pid int) (pids []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func serves(pid int) bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return bytes.Contains(line, []byte("\x00serve\x00"))
}

func peak(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, _ := strconv.Atoi(strings.TrimSpace(strings.SplitN(rest, "kB", 2)[0]))
	return kib
}

// tick is the unit of /proc/PID/stat.
const tick = 10 * time.Millisecond

func read(pid int) (u usage, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 15 {
		return u, fmt.Errorf("cannot read /proc/%d/stat", pid)
	}
	ticks := make([]int, 4)
	for i := range ticks {
		ticks[i], _ = strconv.Atoi(f[11+i])
	}
	u.self, u.children = time.Duration(ticks[0]+ticks[1])*tick, time.Duration(ticks[2]+ticks[3])*tick
	return u, nil
}
