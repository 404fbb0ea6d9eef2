// Package simhost makes machines with simulated pools, for the tests of
// programs that run zfs(8).
//
// Programs under test are built once, beside a zfs and a zpool that are
// zfs-sim; each test has a machine of its own and leaves nothing behind. It
// judges nothing but whether a command that must work does.
package simhost

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const simulator = "github.com/zrepl-tools/zrepl-tools/lib/cmd/zfs-sim"

// Built names the folder in which all programs are built already, with zfs and
// zpool; empty: each test package builds those that it needs.
func Built() string { return os.Getenv("ZT_BIN") }

// Main builds programs, package by name, and zfs and zpool into a new folder,
// tells bin where that is, and runs the tests. It returns their exit status.
// Where they are Built, it builds nothing.
func Main(m *testing.M, bin *string, packages map[string]string) int {
	if *bin = Built(); *bin != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "simhost")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := func(name, pkg string) bool {
		out, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, name), pkg).CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "cannot build %s: %v\n%s", pkg, err, out)
		}
		return err == nil
	}
	if !build("zfs", simulator) {
		return 1
	}
	for name, pkg := range packages {
		if !build(name, pkg) {
			return 1
		}
	}
	if err := os.Symlink("zfs", filepath.Join(dir, "zpool")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*bin = dir
	return m.Run()
}

// Self returns this test's own program, for tests in which it plays a part many
// times. With the race detector it is built once more without: each start would
// cost five times as much, and such a part has nothing to race with. A part that is
// played with the detector all the same does not wait a second at its end for late
// reports, unless $GORACE says so.
func Self(dir string) (string, error) {
	if !raced {
		return os.Executable()
	}
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	self := filepath.Join(dir, "self.test")
	if out, err := exec.Command("go", "test", "-c", "-o", self, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the test without the race detector: %w: %s", err, out)
	}
	return self, nil
}

// Host is a machine with simulated pools. Env is added to what its programs
// find in their environment, which is otherwise empty.
type Host struct {
	T    *testing.T
	Bin  string // where the programs are
	Root string // $ZFS_SIM_ROOT
	Env  []string
}

// New makes a machine with datasets: a name without a slash is a pool.
func New(t *testing.T, bin string, names ...string) *Host {
	t.Helper()
	h := &Host{T: t, Bin: bin, Root: t.TempDir()}
	for _, name := range names {
		if strings.Contains(name, "/") {
			h.Must("zfs", "create", name)
			continue
		}
		disk := filepath.Join(h.Root, "disk-"+name)
		if err := os.WriteFile(disk, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(disk, 256<<20); err != nil {
			t.Fatal(err)
		}
		h.Must("zpool", "create", name, disk)
	}
	h.Commands()
	return h
}

// Copy is the same machine once more.
func (h *Host) Copy() *Host {
	h.T.Helper()
	c := &Host{T: h.T, Bin: h.Bin, Root: h.T.TempDir(), Env: h.Env}
	if out, err := exec.Command("cp", "-a", h.Root+"/.", c.Root).CombinedOutput(); err != nil {
		h.T.Fatalf("cp: %v: %s", err, out)
	}
	return c
}

// Command is a program of Bin that was not started yet.
func (h *Host) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(h.Bin, args[0]), args[1:]...)
	cmd.Env = append([]string{"PATH=" + h.Bin + ":/usr/bin:/bin", "ZFS_SIM_ROOT=" + h.Root, "ZFS_SIM_LOG=" + h.log()}, h.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what a fault kills is not us
	return cmd
}

// ZFS writes a zfs program, and a zpool beside it, that works on this machine whatever the environment
// of its caller, and returns its path. Between the two lines of shell it runs
// what is given: with $1 the subcommand, for what only a test can make happen.
func (h *Host) ZFS(shell string) (path string) {
	h.T.Helper()
	dir := h.T.TempDir()
	for name, shell := range map[string]string{"zfs": shell, "zpool": ""} {
		text := fmt.Sprintf("#!/bin/sh\nexport ZFS_SIM_ROOT='%s' ZFS_SIM_LOG='%s' REAL='%s/%s'\n%s\nexec \"$REAL\" \"$@\"\n", h.Root, h.log(), h.Bin, name, shell)
		if err := WriteProgram(filepath.Join(dir, name), text); err != nil {
			h.T.Fatal(err)
		}
	}
	return filepath.Join(dir, "zfs")
}

// WriteProgram writes a script while this process starts no other: a child that
// another goroutine forked meanwhile would have it open for writing until it
// executes, and who ran it then would be told that the text file is busy.
func WriteProgram(path, text string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(text), 0o700)
}

// Faults writes the simulator's rules for what goes wrong; see package zfssim.
func (h *Host) Faults(rules string) {
	h.T.Helper()
	if err := os.WriteFile(filepath.Join(h.Root, "faults"), []byte(rules+"\n"), 0o600); err != nil {
		h.T.Fatal(err)
	}
}

// Fill writes a new file of so many bytes into a dataset.
func (h *Host) Fill(ds string, bytes int) {
	h.T.Helper()
	dir := strings.TrimSpace(h.Must("zfs", "get", "-H", "-o", "value", "mountpoint", ds))
	data := make([]byte, bytes)
	for i := range data {
		data[i] = byte(i*7) ^ byte(i>>8) ^ byte(i>>16)
	}
	file, err := os.CreateTemp(dir, "file")
	if err != nil {
		h.T.Fatal(err)
	}
	if _, err := file.Write(data); err != nil || file.Close() != nil {
		h.T.Fatal(err)
	}
}

// Run runs a program of Bin. A status of -1 means that a signal killed it.
func (h *Host) Run(stdin string, args ...string) (stdout, stderr string, status int) {
	h.T.Helper()
	cmd := h.Command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		h.T.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Must is Run for what has to work. It returns what was printed.
func (h *Host) Must(args ...string) string {
	h.T.Helper()
	out, errs, status := h.Run("", args...)
	if status != 0 {
		h.T.Fatalf("%v: status %d: %s", args, status, errs)
	}
	return out
}

// Snapshots are those there are, in order of name.
func (h *Host) Snapshots() []string {
	h.T.Helper()
	names := strings.Fields(h.Must("zfs", "list", "-H", "-t", "snapshot", "-o", "name"))
	slices.Sort(names)
	return names
}

func (h *Host) log() string { return filepath.Join(h.Root, "commands") }

// Commands returns the zfs and zpool commands begun since the last call.
func (h *Host) Commands() []string {
	h.T.Helper()
	text, err := os.ReadFile(h.log())
	if err != nil && !os.IsNotExist(err) {
		h.T.Fatal(err)
	}
	os.Remove(h.log())
	var commands []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(line, "\t"); fields[0] == "start" {
			commands = append(commands, fields[5])
		}
	}
	return commands
}
