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

// Main builds programs, package by name, and zfs and zpool into a new folder,
// tells bin where that is, and runs the tests. It returns their exit status.
func Main(m *testing.M, bin *string, packages map[string]string) int {
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
