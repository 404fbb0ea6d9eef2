package endpoint

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// TestJoinRateBroken: a stream that is cut since its rate's file fails says so,
// and not what the commands say that see no more of it.
func TestJoinRateBroken(t *testing.T) {
	dir := t.TempDir()
	receive, fifo := filepath.Join(dir, "zfs"), filepath.Join(dir, "rate")
	if err := simhost.WriteProgram(receive, "#!/bin/sh\ncat >/dev/null\necho incomplete stream >&2\nexit 1\n"); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil { // it opens, and cannot be read at a place
		t.Fatal(err)
	}
	r := &Receiver{ZFS: &zfs.ZFS{Path: receive}, Rates: []string{fifo}}
	_, err := r.join(t.Context(), transfer.ReceiveRequest{Dataset: "b/x", Name: "s", From: 1}, []string{"head", "-c", "300000", "/dev/zero"}, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot share the rate: ") {
		t.Error(err)
	}
}
