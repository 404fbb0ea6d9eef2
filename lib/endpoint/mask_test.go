package endpoint

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// TestSizeIsNoOracle: what a stream from another client's cursor would take
// is answered as if there were no such cursor.
func TestSizeIsNoOracle(t *testing.T) {
	dir := t.TempDir()
	script, log := filepath.Join(dir, "zfs"), filepath.Join(dir, "log")
	if err := simhost.WriteProgram(script, "#!/bin/sh\necho \"$*\" >>"+log+"\necho size 5\n"); err != nil {
		t.Fatal(err)
	}
	s := &Sender{ZFS: &zfs.ZFS{Path: script}, Datasets: everything{}, Tag: cursor.Tag("source", "me")}
	ServeSender(&rpc.Server{}, &Service{}, s, nil)()
	in := transfer.SendRequest{Dataset: "a",
		From: dataset.Version{Kind: dataset.Bookmark, Name: cursor.Bookmark(cursor.Tag("source", "bob"), 1), GUID: 1},
		To:   dataset.Version{Kind: dataset.Snapshot, Name: "s", GUID: 2}}
	if n, err := s.Size(t.Context(), in); err == nil {
		t.Errorf("a size of %d", n)
	}
	if sizes, err := s.Sizes(t.Context(), []transfer.SendRequest{in}); err != nil || sizes[0] != 0 {
		t.Errorf("sizes %v, %v", sizes, err)
	}
	if asked, err := os.ReadFile(log); err == nil {
		t.Errorf("zfs was asked: %s", asked)
	}
	in.From.Name = cursor.Bookmark(s.Tag, 1)
	s.Size(t.Context(), in)
	if _, err := os.ReadFile(log); err != nil {
		t.Errorf("zfs was not asked about its own cursor: %v", err)
	}
}
