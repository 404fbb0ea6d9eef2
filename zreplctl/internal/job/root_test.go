package job_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestSinkRoot: a client makes its root as a placeholder where there is none,
// and cannot receive into it, where neither prune nor monitor would look.
func TestSinkRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(`- name: vault
  type: push-sink
  serve: {type: stdinserver, client_identity: laptop}
  root: b/t/laptop
  snapshot_prefix: zrepl_
  limits: {datasets: 1}
`)
	w.must("zfs", "create", "a/h")
	w.must("zfs", "snapshot", "a/h@zrepl_1")
	text := strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", "a/h@zrepl_1"))
	guid, err := dataset.ParseGUID(text)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := w.command("zfs", "send", "-L", "a/h@zrepl_1").Output()
	if err != nil {
		t.Fatal(err)
	}
	h := w.attack("laptop", true)
	for _, ds := range []string{"b/t", "b/t/laptop"} {
		if err := h.ask(t.Context(), "placeholder", transfer.Placeholder{Dataset: ds}); err != nil {
			t.Fatal(err)
		}
	}
	receive := func(ds string, over bool) error {
		in := transfer.ReceiveRequest{Dataset: ds, To: guid, Name: "zrepl_1", Over: over, Send: dataset.SendOptions{LargeBlocks: true}}
		var got transfer.Received
		return h.CallSend(t.Context(), "receive", in, func(_ context.Context, out *os.File) error { return framed(out, stream) }, &got)
	}
	if err := receive("b/t/laptop/h", false); err != nil {
		t.Errorf("below the root: %v", err)
	}
	if err := receive("b/t/laptop", true); err == nil || !strings.Contains(err.Error(), "receives only below it") {
		t.Errorf("into the root: %v", err)
	}
	h.leave()
	if left := w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "b/t"); len(left) != 1 || left[0] != "b/t/laptop/h@zrepl_1" {
		t.Errorf("there are %q", left)
	}
}
