package observe

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// TestDateUnsigned: one snapshot whose creation no clock writes does not keep
// the others from being dated, and counts from its first hold.
func TestDateUnsigned(t *testing.T) {
	script := filepath.Join(t.TempDir(), "zfs")
	text := "#!/bin/sh\ncase $1 in\n" +
		"holds) printf 'b/x@s\\tmine\\t1700000500\\nb/x@s\\tzreplctl_last_j\\t1700000100\\n';;\n" +
		"*) printf 'b/x@s\\t7\\t18446744073709551615\\t8192\\nb/y@s\\t8\\t1700000000\\t-\\n';;\nesac\n"
	if err := simhost.WriteProgram(script, text); err != nil {
		t.Fatal(err)
	}
	h := &host{zfs: &zfs.ZFS{Path: script}, made: map[string]made{}}
	names := []string{"b/x@s", "b/y@s"}
	if err := h.date(context.Background(), names); err != nil {
		t.Fatal(err)
	}
	if h.made["b/x@s"].at != zfs.LastSecond || h.made["b/y@s"].at != 1700000000 ||
		h.made["b/x@s"].written != 8192 || h.made["b/y@s"].written != unknown {
		t.Errorf("%v", h.made)
	}
	if err := h.dateHolds(context.Background(), names, time.Unix(1700001000, 0)); err != nil {
		t.Fatal(err)
	}
	if len(h.since) != 1 || h.since["b/x@s"].Unix() != 1700000100 {
		t.Errorf("%v", h.since)
	}
}
