package job_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	drr "github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

// A sinkAttack is what a client asks for and sends.
type sinkAttack struct {
	name   string
	in     transfer.ReceiveRequest
	stream []byte
}

// repel tries attacks on a sink. Each is refused, by the sink's own judgement
// of the stream, and changes nothing in the pool.
func (p *pool) repel(attacks ...sinkAttack) {
	p.t.Helper()
	none := func(string) bool { return false }
	for _, a := range attacks {
		before := p.picture(none)
		err := p.push(a.in, a.stream)
		if err == nil || !strings.Contains(err.Error(), "the stream is refused") {
			p.t.Errorf("%s: not refused: %v", a.name, err)
		}
		if d := different(before, p.picture(none)); len(d) > 0 {
			p.t.Errorf("%s: it changed\n%s", a.name, strings.Join(d, "\n"))
		}
		p.t.Logf("%s: %v", a.name, err)
	}
}

// renamed is a copy of a plain stream with another name in it.
func renamed(stream []byte, name string) drr.Stream {
	s, err := drr.Parse(stream)
	if err != nil {
		panic(err)
	}
	s[0].SetName(name)
	return s
}

// armed is a pool with targets that a client has: one full, one placeholder.
func armed(t *testing.T) (*pool, map[string]*material, *wares) {
	t.Parallel()
	p := newPool(t, t.TempDir())
	w := p.wares()
	kinds := map[string]*material{}
	for _, m := range w.all {
		kinds[m.kind] = m
	}
	kinds["incremental"].prepare("b/sink/pusher/full")
	kinds["over"].prepare("b/sink/pusher/over")
	return p, kinds, w
}

// Libzfs cuts the names in a package by length, wherever that is.
func TestPackageCannotLeaveTheRoot(t *testing.T) {
	p, kinds, _ := armed(t)
	full, chain, inc := kinds["full"], kinds["chain"], kinds["incremental"]
	beside := drr.Package("a#bcdefg@s", nil, renamed(full.stream, "a#bcdefg2/evil@s")).Bytes()
	others := drr.Package("a@s", nil, renamed(inc.stream, "a2/x@s1")).Bytes()
	live := drr.Package("a@s", nil, renamed(full.stream, "a-live@s")).Bytes()
	p.repel(
		sinkAttack{"a dataset beside the root", full.request("b/sink/pusher/n"), beside},
		sinkAttack{"a dataset beside the root, as a chain", chain.request("b/sink/pusher/n"), beside},
		sinkAttack{"a snapshot of another client's", inc.request("b/sink/pusher/n"), others},
		sinkAttack{"a live dataset replaced, over a placeholder", kinds["over"].request("b/sink/pusher/over"), live},
	)
	in := chain.request("b/sink/pusher/over")
	in.Over = true
	if err := p.push(in, live); err == nil {
		t.Error("a chain is received over a placeholder")
	}
}

func TestCloneOfForeignSnapshotIsRefused(t *testing.T) {
	p, kinds, w := armed(t)
	full := kinds["full"]
	clone := renamed(full.stream, "a/fs@s0")
	clone[0].Set(drr.Flags, clone[0].Get(drr.Flags)|1)
	plain := clone.Bytes()
	clone[0].Set(drr.FromGUID, uint64(w.foreign))
	from := full.request("b/sink/pusher/new")
	from.From = w.foreign
	over := kinds["over"].request("b/sink/pusher/over")
	p.repel(
		sinkAttack{"a clone of nothing", full.request("b/sink/pusher/new"), plain},
		sinkAttack{"a clone", full.request("b/sink/pusher/new"), clone.Bytes()},
		sinkAttack{"a clone that was asked for", from, clone.Bytes()},
		sinkAttack{"a clone in the other byte order", from, clone.Swap().Bytes()},
		sinkAttack{"a clone over a placeholder", over, clone.Bytes()},
	)
}

// propertyPackages are packages of a chain that libzfs takes for trees, or
// from which it sets, renames and holds.
func propertyPackages(m *material, w *wares) map[string][]byte {
	f := &forger{wares: w}
	f.described(m, m.parsed()[2:len(m.parsed())-1], func(name, outer string, payload []byte, in ...drr.Stream) {
		f.bytes(m, name, refused, func() []byte { return drr.Package(outer, payload, in...).Bytes() })
	})
	out := map[string][]byte{}
	for _, v := range f.all {
		out[v.name] = v.make()
	}
	return out
}

func TestPackageWithPropertiesIsRefused(t *testing.T) {
	p, kinds, w := armed(t)
	var attacks []sinkAttack
	for name, stream := range propertyPackages(kinds["chain"], w) {
		attacks = append(attacks, sinkAttack{name, kinds["chain"].request("b/sink/pusher/full"), stream})
	}
	p.repel(attacks...)
}

// A hostile source sends the same to a pull job with nothing configured.
func TestPulledPackageWithPropertiesIsRefused(t *testing.T) {
	t.Parallel()
	source := &evilSource{}
	p := newPool(t, source.listen(t))
	w := p.wares()
	chain := w.all[2]
	var streams [][]byte
	var list []transfer.Dataset
	for _, stream := range propertyPackages(chain, w) {
		target := fmt.Sprintf("t%d", len(streams))
		chain.prepare("b/pull/" + target)
		list = append(list, chain.offer("a/"+target))
		streams = append(streams, stream)
	}
	source.offer(list, func(in transfer.SendRequest) []byte {
		var i int
		fmt.Sscanf(in.Dataset, "a/t%d", &i)
		return streams[i]
	})
	p.pulledNothing(len(streams))
}

// pulledNothing runs the pull job, all of whose streams are refused, and
// nothing in the pool changes.
func (p *pool) pulledNothing(streams int) {
	p.t.Helper()
	none := func(string) bool { return false }
	picture := func() (lines []string) {
		for _, l := range p.picture(none) {
			if !strings.Contains(l, "userrefs") && !strings.HasSuffix(l, " zreplctl_last_fetch") { // its own
				lines = append(lines, l)
			}
		}
		return lines
	}
	before := picture()
	code, said := p.ctl("pull", "-retries", "0", "-skip", "prune", "fetch")
	if n := strings.Count(said, "the stream is refused"); code != 1 || n < streams {
		p.t.Errorf("status %d, %d of %d refused:\n%s", code, n, streams, said)
	}
	if d := different(before, picture()); len(d) > 0 {
		p.t.Errorf("it changed\n%s", strings.Join(d, "\n"))
	}
}

// With raw claimed, zfs receive is not told to encrypt, nor is anything else
// that only raw streams may do without.
func TestPlainStreamCannotPassAsRaw(t *testing.T) {
	p, kinds, _ := armed(t)
	p.zfs("zfs create -o encryption=on -o keyformat=passphrase -o keylocation=file://" + p.path("key") + " b/sink/pusher/locked")
	claimed := kinds["full"].request("b/sink/pusher/locked/new")
	claimed.Send.Raw = true
	unclaimed := kinds["raw"].request("b/sink/pusher/new")
	unclaimed.Send.Raw = false
	p.repel(
		sinkAttack{"a plain stream as raw", claimed, kinds["full"].stream},
		sinkAttack{"a raw stream as plain", unclaimed, kinds["raw"].stream},
	)
}

func TestNULInNameIsRefused(t *testing.T) {
	p, kinds, _ := armed(t)
	full := kinds["full"]
	in := full.request("b/sink/pusher/new")
	p.repel(
		sinkAttack{"behind the snapshot", in, renamed(full.stream, "a@s0\x00/../evil").Bytes()},
		sinkAttack{"behind the dataset", in, renamed(full.stream, "a\x00@s0").Bytes()},
		sinkAttack{"in a package", in, drr.Package("a@s\x00x", nil, renamed(full.stream, "a@s\x00/evil")).Bytes()},
		sinkAttack{"no end of the name", in, renamed(full.stream, "a@"+strings.Repeat("s", 254)).Bytes()},
	)
}

// A chain that ends before the snapshot that was asked for is not received.
// What came before is whole, and stays.
func TestChainThatEndsEarlyIsNotDone(t *testing.T) {
	p, kinds, _ := armed(t)
	chain := kinds["chain"]
	s := chain.parsed()
	at := 0
	for i, r := range s[2:] {
		if r.Get(drr.Type) == drr.End {
			at = i + 2 // of the first part
			break
		}
	}
	for name, stream := range map[string]drr.Stream{
		"behind the first part":     append(s[:at+1:at+1], s[len(s)-1]),
		"before the first part":     append(s[:2:2], s[len(s)-1]),
		"without the package's end": s[: at+1 : at+1],
	} {
		t.Run(name, func(t *testing.T) {
			chain.prepare("b/sink/pusher/early")
			err := p.push(chain.request("b/sink/pusher/early"), stream.Bytes())
			if err == nil || !strings.Contains(err.Error(), "it ends after") {
				t.Errorf("not refused: %v", err)
			}
			if arrived, wrong := p.judgeTarget("b/sink/pusher/early", chain.had, chain.brings); arrived || len(wrong) > 0 {
				t.Errorf("arrived: %v, %q", arrived, wrong)
			}
			p.zfs("zfs destroy -r b/sink/pusher/early")
			t.Log(err)
		})
	}
}

const sourceJobs = `
global: {rundir: DIR/run}
jobs:
- {name: some, type: source, serve: {type: stdinserver, client_identity: some}, datasets: {"a<": ok}, send: {large_blocks: true}}
- {name: all, type: source, serve: {type: stdinserver, client_identity: all}, datasets: {"a<": ok}, send: {large_blocks: true, compressed: true, embedded: true}}
- {name: none, type: source, serve: {type: stdinserver, client_identity: none}, datasets: {"a<": ok}, send: {large_blocks: false}}
`

// secret is what must not leave as plain text.
const secret = "TOP-SECRET SALARIES"

// TestEncryptedNeverLeavesAsPlainText has a dataset that was plain when it was
// listed replaced by an encrypted one of the same name before it is sent.
func TestEncryptedNeverLeavesAsPlainText(t *testing.T) {
	for client, send := range map[string]dataset.SendOptions{"some": {LargeBlocks: true}, "none": {}, "all": {LargeBlocks: true, Compressed: true, Embedded: true}} {
		for _, same := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s-%v", client, same), func(t *testing.T) {
				t.Parallel()
				p := newPool(t, t.TempDir())
				p.write("c.yml", strings.ReplaceAll(sourceJobs, "DIR", p.dir))
				p.write("key", "a password")
				crypt := "-o encryption=on -o keyformat=passphrase -o keylocation=file://" + p.path("key")
				p.zfs("zfs create a/hr")
				if same {
					p.content("a/hr", secret)
				}
				p.zfs("zfs snapshot a/hr@s")
				h := p.attack(client, true)
				defer h.end()
				if err := h.ask(t.Context(), "list", transfer.ListRequest{}); err != nil {
					t.Fatal(err)
				}
				if same {
					p.receive([]byte(p.zfs("zfs send -L a/hr@s")), crypt+" a/copy")
					p.zfs("zfs rename a/hr a/old")
					p.zfs("zfs rename a/copy a/hr")
				} else {
					p.zfs("zfs rename a/hr a/old")
					p.zfs("zfs create " + crypt + " a/hr")
					p.content("a/hr", secret)
					p.zfs("zfs snapshot a/hr@s")
				}
				if plain := p.zfs("zfs send a/hr@s"); !strings.Contains(plain, secret) {
					t.Fatal("zfs send alone does not tell the secret: the test shows nothing")
				}
				sent := h.stream(t, transfer.SendRequest{Dataset: "a/hr", Send: send,
					To: dataset.Version{Kind: dataset.Snapshot, Name: "s", GUID: p.guid("a/hr@s")}})
				if bytes.Contains(sent, []byte(secret)) {
					t.Errorf("%d bytes left, with the secret in them", len(sent))
				}
				t.Logf("%d bytes left", len(sent))
			})
		}
	}
}

// stream asks for a stream and returns all that comes.
func (h *hostile) stream(t *testing.T, in transfer.SendRequest) []byte {
	t.Helper()
	file, done, err := h.CallReceive(t.Context(), "send", in, new(transfer.SendReply))
	if err != nil {
		t.Log(err)
		return nil
	}
	defer done(false)
	var all []byte
	for r := frame.NewReader(file); ; {
		f, err := r.Next()
		if err != nil {
			t.Log(err)
			return all
		}
		if all = append(all, f.Payload...); f.Type == frame.TypeTrailer {
			t.Logf("%+v", f.Trailer)
			return all
		}
	}
}
