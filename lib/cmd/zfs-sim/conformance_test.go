package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// programs is the folder with zfs and zpool, and with zfs-forge, which makes the
// streams of one section.
var programs string

func TestMain(m *testing.M) {
	os.Exit(simhost.Main(m, &programs, map[string]string{"zfs-forge": "../zfs-forge"}))
}

const scripts = "../../../scripts"

// TestConformance runs scripts/conformance on the simulator and compares with
// what OpenZFS itself printed, as recorded in scripts/conformance.d.
func TestConformance(t *testing.T) {
	for _, version := range []string{"2.1", "2.3", "2.4"} {
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
	for _, name := range []string{"mount", "umount"} { // which are no others' to see
		if err := os.Symlink(filepath.Join(programs, "zfs"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(filepath.Join(scripts, "conformance"), section)
	c.Env = append(os.Environ(), "PATH="+dir+":"+programs+":"+os.Getenv("PATH"), "ZFS_SIM_ROOT="+dir+"/root", "ZFS_SIM_VERSION="+version)
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
