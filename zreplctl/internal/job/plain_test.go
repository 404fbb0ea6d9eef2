package job_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

const plainJobs = `
- {name: closed, type: push-sink, serve: {type: stdinserver, client_identity: closed}, root: b/enc/sink}
- {name: open, type: push-sink, serve: {type: stdinserver, client_identity: open}, root: b/enc/open, recv: {placeholder_encryption: off}}
- {name: toclosed, type: push, datasets: {"a/x<": ok}, snapshot_prefix: s, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, closed]}}
`

// TestPlainPlaceholder: a client asks for placeholders without encryption. It
// gets one only where the sink's own configuration says so, and the key of
// what stands above is not loaded.
func TestPlainPlaceholder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(plainJobs)
	w.encrypted("b/enc")
	w.must("zfs", "create", "-u", "b/enc/sink")
	w.must("zfs", "create", "-u", "b/enc/open")
	ask := func(id, ds string) error {
		h := w.attack(id, true)
		defer h.end()
		return h.Call(t.Context(), "placeholder", transfer.Placeholder{Dataset: ds, Plain: true}, nil)
	}
	for _, id := range []string{"closed", "open"} {
		ds := map[string]string{"closed": "b/enc/sink/p", "open": "b/enc/open/p"}[id]
		if err := ask(id, ds); err != nil {
			t.Error(err)
		}
		if got := w.value(ds, "encryption"); strings.HasPrefix(got, "off") {
			t.Errorf("%s: the key is loaded, and it is not encrypted", id)
		}
	}
	for _, ds := range []string{"b/enc/sink/p", "b/enc/open/p", "b/enc/sink", "b/enc/open", "b/enc"} {
		w.command("zfs", "unmount", ds).Run()
	}
	w.must("zfs", "unload-key", "b/enc")
	if err := ask("closed", "b/enc/sink/q"); err == nil || !strings.Contains(err.Error(), "the receiver's configuration does not allow it") {
		t.Errorf("a placeholder without encryption: %v", err)
	}
	if list := w.must("zfs", "list", "-H", "-o", "name"); strings.Contains(list, "b/enc/sink/q") {
		t.Error("it was created")
	}
	if err := ask("open", "b/enc/open/q"); err != nil {
		t.Error(err)
	}
	w.shows("b/enc/open/q", "encryption", "off default")
}

// TestSaidRaw: a client says that a plain stream is raw. It lands encrypted
// below an encrypted root, or not at all.
func TestSaidRaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(plainJobs)
	w.tree()
	w.encrypted("b/enc")
	w.must("zfs", "create", "-u", "b/enc/sink")
	w.snapshot("s1")
	guid, err := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", "a/x@s1")))
	if err != nil {
		t.Fatal(err)
	}
	for i, flags := range [][]string{{"-p"}, {}, {"-c"}} {
		for _, raw := range []bool{true, false} {
			target := "b/enc/sink/" + string(rune('a'+i)) + map[bool]string{true: "raw", false: "plain"}[raw]
			h := w.attack("closed", true)
			in := transfer.ReceiveRequest{Dataset: target, To: guid, Name: "s1", Send: dataset.SendOptions{Raw: raw}}
			err := h.CallSend(t.Context(), "receive", in, func(_ context.Context, out *os.File) error {
				c := w.command(append(append([]string{"zsend-frame", "zfs", "send"}, flags...), "a/x@s1")...)
				c.Stdout = out
				return c.Run()
			}, new(transfer.Received))
			h.end()
			out, gerr := w.command("zfs", "get", "-H", "-o", "value", "encryption", target).Output()
			missing := gerr != nil
			t.Logf("%q raw=%v: %v; encryption %s", flags, raw, err, out)
			if !missing && strings.HasPrefix(string(out), "off") {
				t.Errorf("%q, raw %v: it landed as plain text", flags, raw)
			}
			if len(flags) == 0 && !raw && missing {
				t.Errorf("an honest stream did not arrive: %v", err)
			}
		}
	}
	// As a volume a filesystem would not be made inert.
	h := w.attack("closed", true)
	in := transfer.ReceiveRequest{Dataset: "b/enc/sink/v", Volume: true, To: guid, Name: "s1"}
	err = h.CallSend(t.Context(), "receive", in, func(_ context.Context, out *os.File) error {
		c := w.command("zsend-frame", "zfs", "send", "a/x@s1")
		c.Stdout = out
		return c.Run()
	}, new(transfer.Received))
	h.end()
	if there := w.command("zfs", "list", "b/enc/sink/v").Run() == nil; err == nil || there {
		t.Errorf("a filesystem said to be a volume: %v, there %v", err, there)
	}
	w.done("push", "toclosed")
	if got := w.value("b/enc/sink/a/x", "encryption"); strings.HasPrefix(got, "off") {
		t.Errorf("encryption %s", got)
	}
}
