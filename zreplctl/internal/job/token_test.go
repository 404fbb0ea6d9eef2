package job_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// cutToken makes a real resume token, of a receive that was cut, and throws
// away what was received.
func (w *world) cutToken(send ...string) (string, stream.Token) {
	w.t.Helper()
	const cut = `[ "$2" != -i ] || zfs send -L a/x@s1 | zfs receive -u b/cut
		zfs send "$@" | head -c 400000 | zfs receive -s -u b/cut 2>/dev/null
		zfs get -H -o value receive_resume_token b/cut; zfs receive -A b/cut
		[ "$2" != -i ] || zfs destroy -r b/cut`
	text := strings.TrimSpace(w.must(append([]string{"sh", "-c", cut, "sh"}, send...)...))
	token, err := stream.DecodeToken(text)
	if err != nil {
		w.t.Fatalf("%q: %v", text, err)
	}
	return text, token
}

// pack makes a token's text again, with more pairs at its end.
func pack(k stream.Token, more ...any) string {
	var pairs []any
	if k.FromGUID != 0 {
		pairs = append(pairs, "fromguid", uint64(k.FromGUID))
	}
	pairs = append(pairs, "object", k.Object, "offset", k.Offset, "bytes", k.Bytes, "toguid", uint64(k.ToGUID), "toname", k.ToName)
	for _, f := range []struct {
		on   bool
		name string
	}{{k.Large, "largeblockok"}, {k.Embedded, "embedok"}, {k.Compressed, "compressok"}, {k.Raw, "rawok"}, {k.Saved, "savedok"}} {
		if f.on {
			pairs = append(pairs, f.name, true)
		}
	}
	return forge(append(pairs, more...)...)
}

// answers is how many bytes zfs send itself makes of a token.
func (w *world) answers(text string) int {
	out, _ := w.command("zfs", "send", "-t", text).Output()
	return len(out)
}

// TestForgedTokens has a client ask for streams with resume tokens that were
// made from real ones. Those that zfs send itself would take, and send what is
// not the client's, or as plain text, matter most.
func TestForgedTokens(t *testing.T) {
	if realZFS == "" {
		t.Parallel()
	}
	w := newWorld(t)
	w.tree()
	w.write("key", strings.Repeat("k", 32))
	w.must("zfs", "create", "-o", "encryption=on", "-o", "keyformat=raw", "-o", "keylocation=file://"+w.path("key"), "a/e")
	w.fill("a/e", 1<<20)
	w.fill("a/secret", 1<<20)
	w.snapshot("s1")
	w.fill("a/x", 1<<20)
	w.snapshot("s2")
	plainText, plain := w.cutToken("-L", "a/x@s1")
	_, later := w.cutToken("-L", "-i", "@s1", "a/x@s2")
	rawText, raw := w.cutToken("-L", "-w", "a/e@s1")
	secretText, secret := w.cutToken("-L", "a/secret@s1")
	with := func(k stream.Token, change func(*stream.Token)) string {
		change(&k)
		return pack(k)
	}
	half, other := len(plainText)/2, "0"
	if plainText[half] == '0' {
		other = "1"
	}

	forged := []struct {
		what, ask, token string
		takes            bool // any zfs send would take it
	}{
		{"another dataset's guid under a permitted name", "a/x", with(secret, func(k *stream.Token) { k.ToName = "a/x@s1" }), true},
		{"another dataset's token", "a/x", secretText, true},
		{"another dataset's token, for it", "a/secret", secretText, true},
		{"another dataset's guid and name, later one's base", "a/x", with(later, func(k *stream.Token) { k.ToName, k.ToGUID = "a/secret@s2", w.guid("a/secret@s2") }), false},
		{"a guid below", "a/x", with(plain, func(k *stream.Token) { k.ToGUID = w.guid("a/x/y@s1") }), false},
		{"a permitted dataset's guid under a name that is gone", "a/x", with(plain, func(k *stream.Token) { k.ToName = "a/gone@s1" }), false},
		{"a permitted dataset's guid under another snapshot's name", "a/x", with(plain, func(k *stream.Token) { k.ToName = "a/x@s2" }), false},
		{"a name without a snapshot", "a/x", with(plain, func(k *stream.Token) { k.ToName = "a/x" }), false},
		{"a name of another pool", "a/x", with(plain, func(k *stream.Token) { k.ToName = "b/x@s1" }), false},
		{"a name like an option", "a/x", with(plain, func(k *stream.Token) { k.ToName = "-F@s1" }), false},
		{"an encrypted dataset without rawok", "a/e", with(raw, func(k *stream.Token) { k.Raw = false }), true},
		{"a plain dataset with rawok", "a/x", with(plain, func(k *stream.Token) { k.Raw = true }), false},
		{"savedok", "a/x", with(plain, func(k *stream.Token) { k.Saved = true }), false},
		{"savedok and rawok", "a/e", with(raw, func(k *stream.Token) { k.Saved = true }), false},
		{"compressok", "a/x", with(plain, func(k *stream.Token) { k.Compressed = true }), false},
		{"embedok", "a/x", with(plain, func(k *stream.Token) { k.Embedded = true }), false},
		{"another dataset's base", "a/x", with(later, func(k *stream.Token) { k.FromGUID = w.guid("a/secret@s1") }), false},
		{"a base that is nobody's", "a/x", with(later, func(k *stream.Token) { k.FromGUID = 1 }), false},
		{"a guid that is nobody's", "a/x", with(plain, func(k *stream.Token) { k.ToGUID = 1 }), false},
		{"no guid", "a/x", with(plain, func(k *stream.Token) { k.ToGUID = 0 }), false},
		{"redact_snaps", "a/x", pack(plain, "redact_snaps", uint64(1)), false},
		{"book_redact", "a/x", pack(plain, "book_redact", "mark"), false},
		{"an unknown key, and another dataset's guid", "a/x", pack(secret, "newok", true), true},
		{"an unknown key, and rawok", "a/x", pack(plain, "newok", true, "rawok", true), false},
		{"rawok as a number", "a/x", pack(plain, "rawok", uint64(1)), false},
		{"rawok as a text", "a/x", pack(plain, "rawok", "1"), false},
		{"toname as a flag", "a/x", forge("toguid", uint64(plain.ToGUID), "toname", true), false},
		{"a guid twice", "a/x", pack(plain, "toguid", uint64(secret.ToGUID)), false},
		{"a name twice", "a/x", pack(plain, "toname", "a/secret@s1"), false},
		{"a name of 60,000 bytes", "a/x", with(plain, func(k *stream.Token) { k.ToName = strings.Repeat("a", 60000) + "@s1" }), false},
		{"a megabyte that packs well", "a/x", pack(plain, "evil", strings.Repeat("a", 1<<20)), false},
		{"a megabyte", "a/x", plainText + strings.Repeat("00", 1<<19), false},
		{"half of it", "a/x", plainText[:half], false},
		{"a digit changed", "a/x", plainText[:half] + other + plainText[half+1:], false},
		{"another version", "a/x", "2" + plainText[1:], false},
		{"no version", "a/x", plainText[2:], false},
		{"garbage", "a/x", "1-5-5-zzzz", false},
		{"an option", "a/x", "-R", false},
		{"two lines", "a/x", plainText + "\n" + plainText, false},
	}
	large := dataset.SendOptions{LargeBlocks: true}
	for _, honest := range []struct {
		ds, token string
		send      dataset.SendOptions
	}{{"a/x", plainText, large}, {"a/x", pack(plain), large}, {"a/x", pack(later), large}, {"a/e", rawText, dataset.SendOptions{LargeBlocks: true, Raw: true}}} {
		h := w.attack("me", true)
		if err := h.ask(t.Context(), "send", transfer.SendRequest{Dataset: honest.ds, Token: honest.token, Send: honest.send}); err != nil {
			t.Errorf("a good token of %s: %v", honest.ds, err)
		}
		h.end()
	}
	before := w.everything()
	h := w.attack("me", true)
	defer h.end()
	taken := 0
	for _, f := range forged {
		send := large
		send.Raw = f.ask == "a/e"
		err := h.ask(t.Context(), "send", transfer.SendRequest{Dataset: f.ask, Token: f.token, Send: send})
		if !errors.As(err, new(*rpc.RemoteError)) {
			t.Fatalf("%s: not refused: %v", f.what, err)
		}
		if text := err.Error(); len(text) > 500 || strings.ContainsAny(text, "\n\x1b\x00") {
			t.Errorf("%s: error of %d bytes: %.200q", f.what, len(text), text)
		}
		n := 0
		if len(f.token) < 100000 { // what an argument can hold
			n = w.answers(f.token)
		}
		if n > 0 {
			taken++
		}
		if f.takes && n == 0 {
			t.Errorf("%s: zfs send does not take it either", f.what)
		}
		t.Logf("%s: zfs send makes %d bytes of it; refused: %v", f.what, n, err)
	}
	if after := w.everything(); !slices.Equal(before, after) {
		t.Errorf("something changed:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	w.done("pull", "fetch")
	t.Logf("%d forged tokens, each refused; zfs send itself would have taken %d", len(forged), taken)
}

// TestUnknownTokenKeys resumes with tokens that have keys of a newer OpenZFS:
// the receive goes on, and nothing but the stream that was asked for is sent.
func TestUnknownTokenKeys(t *testing.T) {
	t.Parallel()
	for _, job := range [][3]string{{"local", "mirror", "b/mirror/x"}, {"pull", "fetch", "b/back/a/x"}, {"push", "pushit", "b/sink/pusher/a/x"}} {
		t.Run(job[0], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must("zfs", "create", "a/x")
			w.fill("a/x", 4<<20)
			w.snapshot("s1")
			w.write("sim/faults", "on=send match=a/x@ cut=2000000\n")
			w.tried(job[0], job[1])
			w.write("sim/faults", "")
			was := w.token(job[2])
			k, err := stream.DecodeToken(was)
			if err != nil {
				t.Fatal(err)
			}
			more := pack(k, "newok", true, "newnumber", uint64(7), "newtext", "a/secret@s1")
			w.write("zfs-newer", fmt.Sprintf("#!/bin/sh\ncase $1 in\nlist|get) %s \"$@\" | sed 's/%s/%s/' ;;\n*) exec %[1]s \"$@\" ;;\nesac\n", filepath.Join(bin, "zfs"), was, more))
			if err := os.Chmod(w.path("zfs-newer"), 0o700); err != nil {
				t.Fatal(err)
			}
			c := w.command("zreplctl", "-config", w.path("c.yml"), job[0], "-skip", "snapshot,prune", job[1])
			c.Env = append(c.Env, "ZREPL_ZFS="+w.path("zfs-newer"))
			if said, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, said)
			}
			w.same("a/x", job[2])
			if log := w.read("sim/log"); !strings.Contains(log, "-t "+more) {
				t.Error("nothing was resumed")
			}
		})
	}
}

func (w *world) guid(name string) dataset.GUID {
	w.t.Helper()
	g, err := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", name)))
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}
