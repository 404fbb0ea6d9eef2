package upkeep

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// A job's rule free waits for space to be short, and fails if that is not known.
func TestFree(t *testing.T) {
	z := host(t, "p/a")
	for _, short := range []string{"x_1", "x_2", "x_3"} {
		must(t, "zfs", "snapshot", "-r", "p@"+short)
	}
	prune := func(z *zfs.ZFS, below string) (left int, err error) {
		u := &Upkeep{ZFS: z, Job: job(t, `type: prune, snapshot_prefix: x_, datasets: {"<": ok}, keep: [{type: last_n, count: 1}, {type: free, below: `+below+`}]`)}
		err = u.Prune(ctx)
		return len(snapshots(t)), err
	}
	if left, err := prune(z, "1M"); left != 6 || err != nil {
		t.Errorf("with space %d are left, %v", left, err)
	}
	none := filepath.Join(t.TempDir(), "zfs")
	script := "case \"$*\" in *available*) exit 1;; esac\nexec " + z.Path + " \"$@\"\n"
	if out, err := exec.Command("sh", "-c", `printf '#!/bin/sh\n%s' "$2" >"$1" && chmod 700 "$1"`, "sh", none, script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left, err := prune(&zfs.ZFS{Path: none}, "1T"); left != 6 || err == nil || !strings.Contains(err.Error(), `free space of pool "p", and destroy nothing there`) {
		t.Errorf("if it is not known %d are left, %v", left, err)
	}
	if left, err := prune(z, "1T"); left != 2 || err != nil {
		t.Errorf("without space %d are left, %v", left, err)
	}
}

// A job's calendar judges snapshots as they were created.
func TestCalendar(t *testing.T) {
	z := host(t, "p/a")
	for _, short := range []string{"x_1", "x_2", "x_3", "x_4"} {
		must(t, "zfs", "snapshot", "p/a@"+short)
	}
	u := &Upkeep{ZFS: z, Job: job(t, `type: prune, snapshot_prefix: x_, datasets: {"<": ok}, keep: [{type: calendar, yearly: 3, zone: UTC}]`)}
	if err := u.Prune(ctx); err != nil {
		t.Fatal(err)
	}
	left := snapshots(t)
	if len(left) < 2 || left[0] != "p/a@x_1" || left[len(left)-1] != "p/a@x_4" {
		t.Errorf("%v are left", left)
	}
}
