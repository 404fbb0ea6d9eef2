// Bench-many measures what zreplctl pull costs over many datasets: processor
// time by program, zfs commands by verb, and peak memory. Both hosts are
// zfs-sim, joined by an exec connection. Each argument is a folder of built
// programs; they take turns, so that each meets the same machine, and all are
// compared with the first. Only the ratios mean something.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	var b bench
	flag.IntVar(&b.datasets, "datasets", 1000, "`number` of datasets")
	flag.IntVar(&b.snapshots, "snapshots", 1, "`number` of snapshots of each")
	flag.IntVar(&b.rounds, "rounds", 1, "`times` to run each candidate")
	flag.BoolVar(&b.first, "first", false, "measure the first run, not an incremental one")
	flag.BoolVar(&b.idle, "idle", false, "measure a run that has nothing to do")
	flag.StringVar(&b.empty, "empty", "", "an empty `program`, to measure a start")
	flag.Parse()
	if err := b.run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench-many:", err)
		os.Exit(1)
	}
}

type bench struct {
	datasets, snapshots, rounds int
	first, idle                 bool
	empty                       string
	folder                      string        // for all that is made
	taken                       int           // snapshots of all, since the beginning
	unlogged                    time.Duration // that a command of zfs-sim takes and does not log
}

func (b *bench) run(folders []string) (err error) {
	if len(folders) == 0 || b.datasets < 1 || b.snapshots < 1 || b.rounds < 1 {
		return errors.New("usage: bench-many [-datasets N] [-snapshots N] [-rounds N] [-first | -idle] FOLDER…")
	}
	if b.folder, err = os.MkdirTemp("", "bench-many"); err != nil {
		return err
	}
	defer os.RemoveAll(b.folder)
	for i, folder := range folders {
		if folders[i], err = filepath.Abs(folder); err != nil {
			return err
		}
	}
	if err := b.prepare(folders[0]); err != nil {
		return err
	}
	if err := b.calibrate(folders[0]); err != nil {
		return err
	}
	costs := make([]cost, len(folders))
	for range b.rounds {
		for i, folder := range folders {
			c, err := b.measure(folder)
			if err != nil {
				return err
			}
			costs[i].add(c)
		}
	}
	for i, c := range costs {
		fmt.Printf("%s\n%s", folders[i], c.table(b.datasets*b.rounds, costs[0]))
	}
	if b.empty == "" {
		return nil
	}
	took, err := start(b.empty)
	fmt.Printf("an empty Go program takes %.2f ms\n", took.Seconds()*1000)
	return err
}
