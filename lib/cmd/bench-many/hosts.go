package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const (
	source = "prod"
	target = "backup"
)

// prepare makes both hosts. But for a first run, the target has what the
// source has.
func (b *bench) prepare(programs string) error {
	for _, host := range []string{source, target} {
		if err := b.makePool(programs, host); err != nil {
			return err
		}
	}
	if err := b.fill(programs, source, "data"); err != nil {
		return err
	}
	if !b.first {
		if err := b.fill(programs, target, "copy"); err != nil {
			return err
		}
	}
	if err := os.WriteFile(b.path("config"), fmt.Appendf(nil, configuration, b.folder), 0o600); err != nil {
		return err
	}
	if b.first {
		return nil
	}
	_, err := b.pull(programs) // holds what both have
	return err
}

const configuration = `global: {rundir: %[1]s/run, statedir: %[1]s/state}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"prod/data<": ok, prod/data: "!"}, snapshot_prefix: s}
- {name: fetch, type: pull, connect: {type: exec, command: [%[1]s/serve]}, mapping: {"prod/data<": backup/copy, prod/data: "!"}, parallel: 2}
`

func (b *bench) path(name string) string { return filepath.Join(b.folder, name) }

func (b *bench) makePool(programs, host string) error {
	if err := os.MkdirAll(b.path(host), 0o700); err != nil {
		return err
	}
	// A pool that cannot run out of space: zfs-sim would count all of it for each stream.
	return b.sim(programs, host, "zpool", "create", host, "disk")
}

func (b *bench) fill(programs, host, below string) error {
	return b.sim(programs, host, "zfs-sim", "fill", host+"/"+below, strconv.Itoa(b.datasets), strconv.Itoa(b.snapshots), "s", "1")
}

// sim runs a command of one host.
func (b *bench) sim(programs, host, name string, args ...string) error {
	cmd := exec.Command(programs+"/zfs-sim", args...)
	cmd.Args[0] = name
	cmd.Env = append(os.Environ(), "ZFS_SIM_ROOT="+b.path(host))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return nil
}

// measure gives the pull something to do, and runs it.
func (b *bench) measure(programs string) (cost, error) {
	switch {
	case b.first:
		if err := b.sim(programs, target, "zpool", "destroy", target); err != nil {
			return cost{}, err
		}
		if err := b.makePool(programs, target); err != nil {
			return cost{}, err
		}
		os.RemoveAll(b.path("state"))
	case !b.idle:
		b.taken++
		// A time of its own: OpenZFS tells a change by the second.
		time.Sleep(time.Second)
		if err := b.sim(programs, source, "zfs", "snapshot", "-r", fmt.Sprintf("prod/data@s_%d", b.taken)); err != nil {
			return cost{}, err
		}
	}
	return b.pull(programs)
}
