package job_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// hostile is a client that may say anything.
type hostile struct {
	*rpc.Conn
	server *exec.Cmd
	end    func() // kills the server
	leave  func() // waits for its end
}

// attack connects to a server of this world as one of its clients.
func (w *world) attack(id string, greet bool) *hostile {
	w.t.Helper()
	return w.attackOn(w.command("zreplctl", "-config", w.path("c.yml"), "serve", id), greet)
}

// attackOn connects to this server.
func (w *world) attackOn(c *exec.Cmd, greet bool) *hostile {
	w.t.Helper()
	theirIn, out, err := child.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	in, theirOut, err := child.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	c.Stdin, c.Stdout = theirIn, theirOut
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	conn, err := rpc.NewConn(in, out)
	if err != nil {
		w.t.Fatal(err)
	}
	h := &hostile{Conn: conn, server: c, end: func() { conn.Close(); in.Close(); out.Close(); c.Process.Kill(); c.Wait() }}
	h.leave = func() { conn.Close(); in.Close(); out.Close(); c.Wait() }
	if greet {
		if err := conn.Call(w.t.Context(), "hello", transfer.Hello{Protocol: transfer.Protocol, Run: "evil"}, new(transfer.Welcome)); err != nil {
			w.t.Fatal(err)
		}
	}
	return h
}

// ask makes a call whose success is of no interest beyond its error.
func (h *hostile) ask(ctx context.Context, name string, in any) error {
	switch name {
	case "list", "copies":
		var list iter.Seq2[transfer.Dataset, error]
		if err := h.Call(ctx, name, in, &list); err != nil {
			return err
		}
		for _, err := range list {
			if err != nil {
				return err
			}
		}
		return nil
	case "send", "restore":
		_, done, err := h.CallReceive(ctx, name, in, new(transfer.SendReply))
		if err == nil {
			done(false)
		}
		return err
	case "receive":
		return h.CallSend(ctx, name, in, func(_ context.Context, out *os.File) error {
			_, err := out.WriteString("garbage that is no framed stream at all")
			return err
		}, new(transfer.Received))
	}
	if name == "placeholder" || name == "abort" {
		return h.Call(ctx, name, in, nil)
	}
	return h.Call(ctx, name, in, new(any))
}

// forge makes a resume token as OpenZFS does.
func forge(pairs ...any) string {
	le := binary.LittleEndian
	b := []byte{0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}
	for i := 0; i+1 < len(pairs); i += 2 {
		name := append([]byte(pairs[i].(string)), 0)
		nameLen := len(name)
		for len(name)%8 != 0 {
			name = append(name, 0)
		}
		kind, count, value := 8, 1, []byte(nil)
		switch v := pairs[i+1].(type) {
		case uint64:
			value = le.AppendUint64(nil, v)
		case string:
			kind, value = 9, append([]byte(v), 0)
			for len(value)%8 != 0 {
				value = append(value, 0)
			}
		case bool:
			kind, count = 1, 0
		}
		b = le.AppendUint32(b, uint32(16+len(name)+len(value)))
		b = le.AppendUint16(b, uint16(nameLen))
		b = le.AppendUint16(b, 0)
		b = le.AppendUint32(b, uint32(count))
		b = le.AppendUint32(b, uint32(kind))
		b = append(append(b, name...), value...)
	}
	b = append(b, 0, 0, 0, 0)
	var z bytes.Buffer
	zw := zlib.NewWriter(&z)
	zw.Write(b)
	zw.Close()
	sum := uint64(0)
	for c := z.Bytes(); len(c) >= 4; c = c[4:] {
		sum += uint64(le.Uint32(c))
	}
	return fmt.Sprintf("1-%x-%x-%s", sum, len(b), hex.EncodeToString(z.Bytes()))
}

func token(name string, to uint64, more ...any) string {
	return forge(append([]any{"object", uint64(2), "offset", uint64(0), "bytes", uint64(0), "toguid", to, "toname", name}, more...)...)
}

// badNames are no names of datasets that anybody may ask for.
var badNames = []string{"", "-F", "-a/x", "a/x@s1", "a/x#b", "a//x", "a/x/", "/a/x", "a/../b", "a/./x", "a/x\n", "a/x\x00", "a/x\x1b[2J",
	"a/secret", "a/secret/deeper", "b", "b/back", "a/x y%recv", "A/x", strings.Repeat("a/", 200) + "x", strings.Repeat("a", 1<<20)}

// TestHostileClient asks a server for what is not the client's. Each is
// refused with a clear error and changes nothing, and the next client is
// served.
func TestHostileClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.must("zfs", "create", "b/sink")
	w.must("zfs", "create", "b/sink/pusher")
	w.must("zfs", "create", "b/sink/other")
	w.must("zfs", "create", "b/sink/pusher/full")
	w.snapshot("s1", "s2")
	w.must("zfs", "snapshot", "b/sink/pusher/full@mine")
	guid := func(name string) dataset.GUID {
		g, err := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", name)))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	x1, x2, secret := guid("a/x@s1"), guid("a/x@s2"), guid("a/secret@s1")
	to := dataset.Version{Kind: dataset.Snapshot, Name: "s2", GUID: x2}
	large := dataset.SendOptions{LargeBlocks: true}

	type attack struct {
		client, call string
		in           any
	}
	var attacks []attack
	add := func(client, call string, in any) { attacks = append(attacks, attack{client, call, in}) }
	for _, name := range badNames {
		add("me", "send", transfer.SendRequest{Dataset: name, To: to, Send: large})
		add("me", "list", transfer.ListRequest{Datasets: []string{name}})
		add("me", "uses", transfer.UsesRequest{Datasets: []string{"a/x", name}, Features: []string{"encryption"}})
		add("me", "protect", transfer.Holds{Hold: []transfer.Snap{{Dataset: name, Name: "s1", GUID: x1}}})
		if name != "b/sink/pusher" {
			add("pusher", "receive", transfer.ReceiveRequest{Dataset: name, To: x1, Name: "s1", Send: large})
			add("pusher", "abort", transfer.Name{Dataset: name})
		}
	}
	for _, short := range []string{"", "s1,s2", "s1%s2", "s1@s2", "a/x@s1", "s1\n", strings.Repeat("s", 300)} {
		bad := dataset.Version{Kind: dataset.Snapshot, Name: short, GUID: x1}
		add("me", "send", transfer.SendRequest{Dataset: "a/x", To: bad, Send: large})
		add("me", "send", transfer.SendRequest{Dataset: "a/x", From: dataset.Version{Kind: dataset.Bookmark, Name: short + "/", GUID: x1}, To: to, Send: large})
		add("me", "protect", transfer.Holds{Release: []transfer.Snap{{Dataset: "a/x", Name: short, GUID: x1}}})
		add("pusher", "receive", transfer.ReceiveRequest{Dataset: "b/sink/pusher/new", To: x1, Name: short, Send: large})
		add("pusher", "since", []transfer.Snap{{Dataset: "b/sink/pusher", Name: short}})
	}
	for _, text := range []string{
		"", "x", "1-0-0-00", strings.Repeat("1-", 9000), token("a/secret@s1", uint64(secret)), token("a/x@s1", uint64(secret)),
		token("a/secret@s1", uint64(x1)), token("b/x@s1", uint64(x1)), token("a/x@s2", uint64(x1)), token("a/x", uint64(x1)),
		token("a/x@s1", uint64(x1), "rawok", true), token("a/x@s1", uint64(x1), "savedok", true), token("a/x@s1", uint64(x1), "embedok", true),
		token("a/x@s1", uint64(x1), "compressok", true), token("a/x@s2", uint64(x2), "fromguid", uint64(secret)),
		token("a/x@s1", uint64(x1), "redact_snaps", "x"), token("a/secret@s1", uint64(secret), "evil", uint64(1)), token("a/x@s1", uint64(x1), "evil", true, "rawok", true), token("a/x@s1", uint64(x1), "rawok", uint64(1)), token("a/x@s1", uint64(x1), "toguid", uint64(x2)),
		token("-F@s1", uint64(x1)), token(strings.Repeat("a", 60000), uint64(x1)),
	} {
		if text != "" {
			add("me", "send", transfer.SendRequest{Dataset: "a/x", Token: text, Send: large})
		}
	}
	add("me", "send", transfer.SendRequest{Dataset: "a/x", To: to, Send: dataset.SendOptions{}})
	add("me", "send", transfer.SendRequest{Dataset: "a/x", To: to, Send: dataset.SendOptions{LargeBlocks: true, Embedded: true}})
	add("me", "send", transfer.SendRequest{Dataset: "a/x", To: dataset.Version{Kind: dataset.Bookmark, Name: "s1", GUID: x1}, Send: large})
	add("me", "send", transfer.SendRequest{Dataset: "a/x", From: dataset.Version{Kind: '-', Name: "s1", GUID: x1}, To: to, Send: large})
	add("me", "send", transfer.SendRequest{Dataset: "a/x", From: dataset.Version{Kind: dataset.Bookmark, Name: "s1", GUID: x1}, To: to, Via: []transfer.Brought{{Name: "s0", GUID: 7}}, Send: large})
	add("me", "protect", transfer.Holds{Forget: []transfer.Snap{{Dataset: "a/x", Name: "theirs"}}})
	add("me", "protect", transfer.Holds{Forget: []transfer.Snap{{Dataset: "a/x", Name: "zreplctl_source_other_0000000000000001"}}})
	add("me", "deferred", []transfer.Snap{{Dataset: "a/secret", Name: "s1"}})
	add("me", "receive", transfer.ReceiveRequest{Dataset: "b/x", To: x1, Name: "s1"})
	add("me", "abort", transfer.Name{Dataset: "b/back"})
	const root = "b/sink/pusher" // is the administrator's
	add("pusher", "receive", transfer.ReceiveRequest{Dataset: root, To: x1, Name: "s1", Send: large, Over: true})
	add("pusher", "abort", transfer.Name{Dataset: root})
	add("pusher", "protect", transfer.Holds{Hold: []transfer.Snap{{Dataset: root, Name: "s1", GUID: x1}}})
	add("pusher", "protect", transfer.Holds{Unmark: []string{root}})
	add("pusher", "apply", []transfer.Settings{{Dataset: root}})
	add("me", "takes", nil)
	add("pusher", "uses", transfer.UsesRequest{Datasets: []string{"a/x"}, Features: []string{"encryption"}})
	add("me", "placeholder", transfer.Placeholder{Dataset: "a/new"})
	add("me", "destroy", transfer.Name{Dataset: "a/x"})
	add("me", "hello", transfer.Hello{Protocol: 99, Run: "x"})
	add("me", "hello", transfer.Hello{Protocol: 1, Run: "../../x"})
	add("pusher", "send", transfer.SendRequest{Dataset: "a/x", To: to, Send: large})
	add("pusher", "receive", transfer.ReceiveRequest{Dataset: "b/sink/other/x", To: x1, Name: "s1", Send: large})
	add("pusher", "receive", transfer.ReceiveRequest{Dataset: "b/sink/pusher/full", To: x1, Name: "s1", Over: true, Send: large})
	add("pusher", "receive", transfer.ReceiveRequest{Dataset: "b/sink/pusher/new", To: x1, Name: "s1", Send: large, Told: transfer.Properties{Set: map[string]string{"user:x": "a\nb"}}})
	add("pusher", "receive", transfer.ReceiveRequest{Dataset: "b/sink/pusher/new", To: x1, Name: "s1", Send: large})
	add("pusher", "placeholder", transfer.Placeholder{Dataset: "b/sink/other/new"})
	add("pusher", "apply", []transfer.Settings{{Dataset: "b/sink/other"}})
	add("pusher", "apply", []transfer.Settings{{Dataset: "b/sink/pusher/full"}, {Dataset: "-o"}})
	add("pusher", "apply", make([]transfer.Settings, 501))
	add("me", "apply", []transfer.Settings{{Dataset: "a/x"}})
	add("pusher", "protect", transfer.Holds{Bookmark: []transfer.Snap{{Dataset: "b/sink/pusher/full", Name: "mine"}}})
	add("pusher", "protect", transfer.Holds{Hold: []transfer.Snap{{Dataset: "b/sink/other", Name: "mine"}}})

	before := w.everything()
	open := map[string]*hostile{}
	for _, a := range attacks {
		if open[a.client] == nil {
			open[a.client] = w.attack(a.client, true)
		}
		h := open[a.client]
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := h.ask(ctx, a.call, a.in)
		cancel()
		if remote := (*rpc.RemoteError)(nil); !errors.As(err, &remote) || a.call == "receive" {
			h.end()
			open[a.client] = nil
		}
		if err == nil {
			t.Errorf("%s %s %.200q: not refused", a.client, a.call, fmt.Sprintf("%+v", a.in))
		} else if text := err.Error(); len(text) > 2500 || strings.ContainsAny(text, "\n\x1b\x00") {
			t.Errorf("%s %s: error of %d bytes: %.200q", a.client, a.call, len(text), text)
		}
	}
	for _, h := range open {
		if h != nil {
			h.end()
		}
	}
	if after := w.everything(); !slices.Equal(before, after) {
		t.Errorf("something changed:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	w.done("pull", "fetch")
	t.Logf("%d attacks, each refused", len(attacks))
}

// everything is what the simulator has.
func (w *world) everything() []string {
	all := w.lines("zfs", "list", "-Hp", "-t", "all", "-o", "name,guid,type")
	all = append(all, w.holds()...)
	return append(all, w.lines("zfs", "get", "-H", "-o", "name,property,value", "-t", "filesystem,volume", "readonly,mountpoint,canmount,zreplctl:placeholder,receive_resume_token")...)
}

// TestHostileBytes holds connections that never say anything of use: others
// are served meanwhile.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	var open []*exec.Cmd
	for _, text := range []string{"", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("\xff", 1<<16), "\x01\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00"} {
		c := w.command("zreplctl", "-config", w.path("c.yml"), "serve", "me")
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		io.WriteString(in, text)
		open = append(open, c)
	}
	h := w.attack("me", false)
	if err := h.ask(t.Context(), "list", transfer.ListRequest{}); err == nil {
		t.Error("served before hello")
	}
	h.end()
	h = w.attack("me", true)
	defer h.end()
	for range 2000 {
		if err := h.Call(t.Context(), "deferred", []transfer.Snap{{Dataset: "a/secret", Name: "s1"}}, new([]transfer.Snap)); err == nil {
			t.Fatal("not refused")
		}
	}
	w.done("pull", "fetch")
	for _, c := range open {
		c.Process.Kill()
		c.Wait()
	}
}
