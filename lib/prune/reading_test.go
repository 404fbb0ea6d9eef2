package prune

import (
	"context"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// TestReading: what this host's own verify reads is kept, also if it has ended
// meanwhile; what another zfs send reads is left.
func TestReading(t *testing.T) {
	dir := t.TempDir()
	script := `#!/bin/sh
case "$*" in
destroy*,*) printf "cannot destroy snapshot p@a: dataset is busy\ncannot destroy snapshot p@b: dataset is busy\ncannot destroy snapshot p@c: dataset is busy\n" >&2; exit 1 ;;
list*) printf 'p@a\t1\t0\t-\np@b\t2\t0\t-\np@c\t3\t0\t-\n' ;;
esac
`
	if err := simhost.WriteProgram(dir+"/zfs", script); err != nil {
		t.Fatal(err)
	}
	looks, kept, left := 0, "", ""
	ev := Events{
		Left: func(name string, err error) { left += name + " " },
		Kept: func(name, why string) { kept += name + " " + why + " " },
		Reading: func() map[string]bool {
			looks++
			return map[string]bool{"p@a": looks == 1, "p@b": looks > 1}
		},
	}
	gone, n, err := Destroy(context.Background(), &zfs.ZFS{Path: dir + "/zfs"}, "p", strings.Fields("a b c d"), ev)
	if err != nil || gone != 1 || n != 1 || kept != "p@a verify p@b verify " || left != "p@c " {
		t.Errorf("%d gone, %d left, %v: kept %q, left %q", gone, n, err, kept, left)
	}
}
