package job_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestOtherClientsCursors: a client learns no other client's name from a list,
// and the bookmark of another client is a base all the same.
func TestOtherClientsCursors(t *testing.T) {
	for kind, form := range map[string]string{"cursor": "%s_%016x", "earlier base": "%s:%016x"} {
		t.Run(kind, func(t *testing.T) { t.Parallel(); otherClientsCursors(t, form) })
	}
}

func otherClientsCursors(t *testing.T, form string) {
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	guid := w.guid("a/x@s1")
	theirs := fmt.Sprintf(form, "zreplctl_source_other", uint64(guid))
	w.must("zfs", "bookmark", "a/x@s1", "a/x#"+theirs)
	w.must("zfs", "bookmark", "a/x@s1", "a/x#kept")
	w.must("zfs", "bookmark", "a/z@s1", "a/z#"+fmt.Sprintf(form, "zreplctl_source_other", 7)) // its snapshot is there
	w.must("zfs", "release", "zreplctl_source_me", "a/x@s1")
	w.must("zfs", "destroy", "a/x@s1")
	w.must("zfs", "destroy", "a/x#kept")
	w.snapshot("s2")

	_, said := w.ctl("plan", "fetch")
	if strings.Contains(said, "other") || !strings.Contains(said, "#zreplctl_cursor_") {
		t.Errorf("the plan:\n%s", said)
	}
	h := w.attack("me", true)
	defer h.end()
	to := dataset.Version{Kind: dataset.Snapshot, Name: "s2", GUID: w.guid("a/x@s2")}
	for _, name := range []string{theirs, fmt.Sprintf("zreplctl_cursor_%016x", 9)} {
		in := transfer.SendRequest{Dataset: "a/x", From: dataset.Version{Kind: dataset.Bookmark, Name: name, GUID: guid}, To: to, Send: dataset.SendOptions{LargeBlocks: true}}
		if err := h.ask(t.Context(), "send", in); err == nil || !strings.Contains(err.Error(), "has no bookmark") {
			t.Errorf("a stream from %s: %v", name, err)
		}
	}
	w.done("pull", "fetch")
	if got := w.guids("b/back/a/x"); len(got) < 2 || !strings.HasPrefix(got[1], "@s2") {
		t.Errorf("the target has %q", got)
	}
}
