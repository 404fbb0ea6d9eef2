package main

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

var bin string // holds zprune, zsnap, zfs and zpool

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "zprune")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		const project = "github.com/zrepl-tools/zrepl-tools/"
		for name, pkg := range map[string]string{"zprune": ".", "zsnap": project + "zsnap", "zfs": project + "lib/cmd/zfs-sim"} {
			if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
				return 1
			}
		}
		if err := os.Symlink("zfs", filepath.Join(dir, "zpool")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// host is a machine with simulated pools.
type host struct {
	t    *testing.T
	root string
	env  []string
}

func newHost(t *testing.T, pools ...string) *host {
	h := &host{t: t, root: t.TempDir()}
	for _, pool := range pools {
		disk := filepath.Join(h.root, "disk-"+pool)
		if err := os.WriteFile(disk, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(disk, 256<<20); err != nil {
			t.Fatal(err)
		}
		h.must("zpool", "create", pool, disk)
	}
	return h
}

// copy is the same machine once more.
func (h *host) copy() *host {
	c := &host{t: h.t, root: h.t.TempDir()}
	if out, err := exec.Command("cp", "-a", h.root+"/.", c.root).CombinedOutput(); err != nil {
		h.t.Fatalf("cp: %v: %s", err, out)
	}
	return c
}

func (h *host) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, args[0]), args[1:]...)
	cmd.Env = append([]string{"PATH=" + bin + ":/usr/bin:/bin", "ZFS_SIM_ROOT=" + h.root, "ZFS_SIM_LOG=" + h.root + "/commands"}, h.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what a fault kills is not us
	return cmd
}

// run runs a program of bin. A status of -1 means that a signal killed it.
func (h *host) run(stdin string, args ...string) (stdout, stderr string, status int) {
	cmd := h.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (h *host) must(args ...string) string {
	h.t.Helper()
	out, errs, status := h.run("", args...)
	if status != 0 {
		h.t.Fatalf("%v: status %d: %s", args, status, errs)
	}
	return out
}

func (h *host) snapshots() []string {
	h.t.Helper()
	return strings.Fields(h.must("zfs", "list", "-H", "-t", "snapshot", "-o", "name"))
}

// commands returns the zfs commands begun since the last call.
func (h *host) commands() []string {
	text, err := os.ReadFile(h.root + "/commands")
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	os.Remove(h.root + "/commands")
	var commands []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(line, "\t"); fields[0] == "start" {
			commands = append(commands, fields[5])
		}
	}
	return commands
}

// fill gives each dataset n snapshots.
func (h *host) fill(n int, datasets ...string) {
	h.t.Helper()
	for i := range n {
		args := []string{"zfs", "snapshot"}
		for _, ds := range datasets {
			args = append(args, fmt.Sprintf("%s@zrepl_%03d", ds, i))
		}
		h.must(args...)
	}
	h.commands()
}

func (h *host) datasets(parent string, n int) []string {
	h.t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s/d%02d", parent, i)
		h.must("zfs", "create", names[i])
	}
	return names
}

func (h *host) expect(want ...string) {
	h.t.Helper()
	got := h.snapshots()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.t.Errorf("there are %v, want %v", got, want)
	}
}
