package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be zfs and zpool, by the name of the symbolic
// link that it is called by.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == "zfs" || name == "zpool" {
		os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(withForge(m))
}

// forge is the folder with zfs-forge, which makes the streams of one section.
var forge string

func withForge(m *testing.M) int {
	dir, err := os.MkdirTemp("", "zfs-forge")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	forge = dir
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "../zfs-forge").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build zfs-forge: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

const scripts = "../../../scripts"

// TestConformance runs scripts/conformance on the simulator and compares with
// what OpenZFS itself printed, as recorded in scripts/conformance.d.
func TestConformance(t *testing.T) {
	for _, version := range []string{"2.1", "2.3"} {
		recorded, err := filepath.Glob(filepath.Join(scripts, "conformance.d", "openzfs-"+version, "*.txt"))
		if err != nil || len(recorded) == 0 {
			t.Fatalf("no recordings of OpenZFS %s: %v", version, err)
		}
		for _, file := range recorded {
			section := strings.TrimSuffix(filepath.Base(file), ".txt")
			t.Run(version+"/"+section, func(t *testing.T) {
				t.Parallel()
				compareSection(t, version, section, file)
			})
		}
	}
}

func compareSection(t *testing.T, version, section, file string) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"zfs", "zpool"} {
		if err := os.Symlink(exe, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(filepath.Join(scripts, "conformance"), section)
	c.Env = append(os.Environ(), "PATH="+dir+":"+forge+":"+os.Getenv("PATH"), "ZFS_SIM_ROOT="+dir+"/root", "ZFS_SIM_VERSION="+version)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	mine := filepath.Join(dir, "transcript")
	if err := os.WriteFile(mine, out, 0o644); err != nil {
		t.Fatal(err)
	}
	told, err := exec.Command(filepath.Join(scripts, "conformance"), "-compare", file, mine).Output()
	if err != nil {
		t.Errorf("%s", told)
		return
	}
	t.Logf("%s: %s", version, bytes.TrimSpace(told))
}
