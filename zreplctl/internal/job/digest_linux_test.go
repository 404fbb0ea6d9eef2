package job_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// What a client may not read, it gets no digest of.
func TestDigestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.underKey("a/enc")
	w.fill("a/enc", 1000)
	w.extend(`
- {name: opened, type: source, serve: {type: stdinserver, client_identity: opened}, datasets: {"a<": ok}, send: {encrypted: plain}}
`)
	for _, ds := range []string{"b/sink", "b/sink/pusher", "b/sink/other", "b/sink/pusher/plain"} {
		w.must("zfs", "create", ds)
	}
	w.underKey("b/sink/pusher/enc")
	w.snapshot("s1")
	w.must("zfs", "snapshot", "-r", "b/sink@s1")
	guid := func(name string) dataset.GUID {
		g, err := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", name)))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	request := func(ds string, raw bool) transfer.DigestRequest {
		return transfer.DigestRequest{Version: 1, Dataset: ds, Name: "s1", GUID: guid(ds + "@s1"), Raw: raw}
	}
	changed := func(in transfer.DigestRequest, change func(*transfer.DigestRequest)) transfer.DigestRequest {
		change(&in)
		return in
	}
	x := request("a/x", false)
	for name, c := range map[string]struct {
		client string
		in     transfer.DigestRequest
		says   string // empty: it is computed
	}{
		"offered":                          {"me", x, ""},
		"raw, of an encrypted one":         {"me", request("a/enc", true), ""},
		"plain, of an encrypted one":       {"me", request("a/enc", false), "as encrypted blocks, not as plain text"},
		"plain, where that may be sent":    {"opened", request("a/enc", false), ""},
		"raw, where plain text is sent":    {"opened", request("a/enc", true), "as plain text, not as encrypted blocks"},
		"raw, of a plain one":              {"me", request("a/x", true), "as plain text, not as encrypted blocks"},
		"not offered":                      {"me", request("a/secret", false), "not offered here"},
		"another pool":                     {"me", request("b/sink", false), "not offered here"},
		"another guid":                     {"me", changed(x, func(in *transfer.DigestRequest) { in.GUID++ }), "no longer has snapshot"},
		"another snapshot's guid":          {"opened", changed(x, func(in *transfer.DigestRequest) { in.GUID = guid("a/z@s1") }), "no longer has snapshot"},
		"no guid":                          {"me", changed(x, func(in *transfer.DigestRequest) { in.GUID = 0 }), "names no guid"},
		"a flag":                           {"me", changed(x, func(in *transfer.DigestRequest) { in.Dataset = "-R" }), "bad dataset name"},
		"two snapshots":                    {"me", changed(x, func(in *transfer.DigestRequest) { in.Name = "s1,s2" }), "bad snapshot name"},
		"a name of another dataset":        {"me", changed(x, func(in *transfer.DigestRequest) { in.Name = "s1 a/secret@s1" }), "bad snapshot name"},
		"too many groups":                  {"me", changed(x, func(in *transfer.DigestRequest) { in.Groups = make([]int, 1025) }), "groups of objects"},
		"a client's own":                   {"pusher", request("b/sink/pusher/plain", false), ""},
		"a client's own, encrypted":        {"pusher", request("b/sink/pusher/enc", true), ""},
		"a client's own, encrypted, plain": {"pusher", request("b/sink/pusher/enc", false), "as encrypted blocks, not as plain text"},
		"the root itself":                  {"pusher", request("b/sink/pusher", false), "not offered here"},
		"another client's":                 {"pusher", request("b/sink/other", false), "not offered here"},
		"what a sink does not have":        {"pusher", x, "not offered here"},
	} {
		h := w.attack(c.client, false)
		if err := h.Call(t.Context(), "digest", c.in, new(transfer.Digest)); err == nil {
			t.Errorf("%s: without hello", name)
		}
		if err := h.Call(t.Context(), "hello", transfer.Hello{Protocol: transfer.Protocol}, new(transfer.Welcome)); err != nil {
			t.Fatal(err)
		}
		var got transfer.Digest
		err := h.Call(t.Context(), "digest", c.in, &got)
		switch {
		case c.says == "" && (err != nil || len(got.Sum) != 64):
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || got.Sum != ""):
			t.Errorf("%s: %v %v", name, err, got.Sum)
		}
		h.end()
	}
}

// What takes the name of a dataset while that is read has no digest: it may be
// encrypted, and would be read as plain text.
func TestDigestOfReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/hr")
	w.fill("a/hr", 1000)
	w.must("zfs", "snapshot", "a/hr@s1")
	w.write("key", strings.Repeat("k", 32))
	w.must("sh", "-c", "zfs send a/hr@s1 | zfs receive -u -o encryption=on -o keyformat=raw -o keylocation=file://"+w.path("key")+" a/copy")
	w.write("sim/faults", "on=send match=a/hr@s1 wait\n")
	h := w.attack("me", true)
	defer h.end()
	g, err := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", "a/hr@s1")))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	var got transfer.Digest
	go func() {
		done <- h.Call(context.Background(), "digest", transfer.DigestRequest{Version: 1, Dataset: "a/hr", Name: "s1", GUID: g}, &got)
	}()
	w.find("zfs", " send ", "a/hr@s1")
	w.must("zfs", "rename", "a/hr", "a/old")
	w.must("zfs", "rename", "a/copy", "a/hr")
	w.write("sim/faults", "")
	if err := <-done; err == nil || got.Sum != "" || !strings.Contains(err.Error(), "not as plain text") {
		t.Errorf("%v %v", got.Sum, err)
	}
	if remote := (*rpc.RemoteError)(nil); !errors.As(err, &remote) && err != nil {
		t.Error(err)
	}
}
