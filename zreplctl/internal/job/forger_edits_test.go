package job_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	drr "github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

// verdict is what has to become of a variation.
type verdict int

const (
	refused  verdict = iota // by our own judgement, before zfs receive has a reason to
	denied                  // the request itself is refused, or the stream
	accepted                // it is honest
	harmless                // whatever: what counts is what is there then
)

// variation is one stream that a forger makes of an honest one, and what it
// asks for with it.
type variation struct {
	name string
	of   *material
	make func() []byte
	ask  func(*transfer.ReceiveRequest) // changes the request of a client; nil: it asks for what it has
	want verdict
	// whole: what is wrong comes behind a stream that is good and was asked for.
	whole bool
}

// forger collects variations.
type forger struct {
	*wares
	all []variation
}

func (f *forger) add(m *material, name string, want verdict, edit func(s drr.Stream) drr.Stream) {
	f.bytes(m, name, want, func() []byte { return edit(m.parsed()).Bytes() })
}

func (f *forger) bytes(m *material, name string, want verdict, mk func() []byte) {
	f.all = append(f.all, variation{name: m.kind + ", " + name, of: m, make: mk, want: want})
}

// last marks the variation that was added last as whole before its fault.
func (f *forger) last() { f.all[len(f.all)-1].whole = true }

func (f *forger) lastIf(whole bool) { f.all[len(f.all)-1].whole = whole }

// closes reports whether record at is the end of a package, before which all
// that it brings is whole.
func closes(m *material, s drr.Stream, at int) bool { return len(m.brings) > 1 && at == len(s)-1 }

// plain is the DRR_BEGIN of the n-th plain substream.
func plain(m *material, s drr.Stream, n int) *drr.Record {
	if len(m.brings) > 1 {
		n++ // the package's own
	}
	return s.Begins()[n]
}

// begin adds a change of the DRR_BEGIN of each plain substream, or in a short
// round of the last one only.
func (f *forger) begin(m *material, name string, want verdict, change func(b *drr.Record)) {
	n := len(m.brings) - 1
	f.add(m, name, want, func(s drr.Stream) drr.Stream { change(plain(m, s, n)); return s })
}

var innerNames = []struct {
	name string
	want verdict
}{
	{"", refused}, {"a", refused}, {"a@", refused}, {"@a", refused}, {"a#b", refused}, {"a#b@c", refused}, {"a@b@c", refused}, {"a@b/c", refused},
	{"a@b#c", refused}, {"a/@b", refused}, {"a//b@c", refused}, {"/a@b", refused}, {"a@b\n", refused}, {"a\x1b[2J@b", refused}, {"a@b\xff", refused},
	{"a\x00@b", refused}, {"a@b\x00c", refused}, {"a@b\x00/evil", refused}, {"a@%recv", refused}, {"a%recv@b", refused}, {"a/../b@c", refused},
	{"a@" + strings.Repeat("s", 253), accepted}, {strings.Repeat("a", 250) + "@bcde", harmless}, {"a@" + strings.Repeat("s", 254), refused},
	{"b/sink/pusher2/x@dear", accepted}, {"b/foreign@dear", accepted}, {"-F@a", harmless}, {"b/sink/pusher@top", accepted}, {"$(reboot)@a", refused},
}

func (f *forger) names(m *material) {
	for _, n := range innerNames {
		f.begin(m, fmt.Sprintf("inner name %.40q of %d bytes", n.name, len(n.name)), n.want, func(b *drr.Record) { b.SetName(n.name) })
	}
}

func (f *forger) guids(m *material) {
	last := m.brings[len(m.brings)-1].GUID
	for _, g := range []struct {
		name string
		guid uint64
	}{{"0", 0}, {"of a foreign snapshot", uint64(f.foreign)}, {"of nothing", 4711}, {"one more", uint64(last) + 1}, {"all bits", 1<<64 - 1}} {
		f.begin(m, "to guid "+g.name, refused, func(b *drr.Record) { b.Set(drr.ToGUID, g.guid) })
		if g.guid != uint64(m.from.GUID) {
			f.begin(m, "from guid "+g.name, refused, func(b *drr.Record) { b.Set(drr.FromGUID, g.guid) })
		}
	}
	f.begin(m, "from guid is the to guid", refused, func(b *drr.Record) { b.Set(drr.FromGUID, uint64(last)) })
	if m.from.GUID != 0 {
		f.begin(m, "guids swapped", refused, func(b *drr.Record) {
			to, from := b.Get(drr.ToGUID), b.Get(drr.FromGUID)
			b.Set(drr.ToGUID, from)
			b.Set(drr.FromGUID, to)
		})
	}
}

func (f *forger) flags(m *material) {
	for bit := range 32 {
		want := refused
		if bit >= 1 && bit <= 3 {
			want = harmless
		}
		f.begin(m, fmt.Sprintf("flag bit %d", bit), want, func(b *drr.Record) { b.Set(drr.Flags, b.Get(drr.Flags)^1<<bit) })
	}
	f.begin(m, "a clone of a foreign snapshot", refused, func(b *drr.Record) {
		b.Set(drr.Flags, b.Get(drr.Flags)|1)
		b.Set(drr.FromGUID, uint64(f.foreign))
	})
	// A client can ask for what only the flag tells from an incremental stream.
	if !m.over { // onto a placeholder goes what is full
		f.all[len(f.all)-1].ask = func(r *transfer.ReceiveRequest) { r.From = f.foreign }
	}
}

// feature says which bits of the features are wrong in a stream of a kind.
func feature(m *material, bit int) verdict {
	switch bit {
	case 2, 19, 23, 27, 28, 29: // spill blocks, large blocks, dnodes and names
		return harmless
	case 16, 17, 22, 25: // embedded, compressed: a part of what raw means
		if m.send.Raw {
			return harmless
		}
	case 20:
		if m.resume { // without it, it is a stream like others
			return harmless
		}
	}
	return refused
}

func (f *forger) features(m *material) {
	for bit := range 62 {
		want := feature(m, bit)
		f.begin(m, fmt.Sprintf("feature bit %d", bit), want, func(b *drr.Record) {
			b.Set(drr.VersionInfo, b.Get(drr.VersionInfo)^1<<(bit+2))
		})
	}
}

func (f *forger) types(m *material) {
	for _, h := range []uint64{0, 2, 3} {
		f.begin(m, fmt.Sprintf("header type %d", h), refused, func(b *drr.Record) { b.SetHeader(h) })
	}
	for _, o := range []uint64{0, 1, 2, 3, 4, 10, 196, 1 << 31} {
		if o == 2 && !m.volume || o == 3 && m.volume {
			continue
		}
		f.begin(m, fmt.Sprintf("objset type %d", o), refused, func(b *drr.Record) { b.Set(drr.ObjectSet, o) })
	}
	for _, n := range []uint64{0, drr.MagicNumber + 1, drr.MagicNumber << 8} {
		f.begin(m, fmt.Sprintf("magic %#x", n), refused, func(b *drr.Record) { b.Set(drr.Magic, n) })
	}
	for c, want := range map[uint64]verdict{0: harmless, 1: harmless, 253402300799: harmless, 253402300800: refused, 1 << 40: refused, 1<<64 - 1: refused} {
		f.begin(m, fmt.Sprintf("creation %d", c), want, func(b *drr.Record) { b.Set(drr.Creation, c) })
	}
}

// native packs pairs of a name and a number as the kernel does.
func native(pairs ...any) []byte {
	b := []byte{0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}
	le := func(n, size int) {
		for range size {
			b = append(b, byte(n))
			n >>= 8
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string) + "\x00"
		padded := name + strings.Repeat("\x00", -len(name)&7)
		kind, size := 8, 8 // a number
		if pairs[i+1] == "list" {
			kind, size = 19, 24
		}
		le(16+len(padded)+size, 4)
		le(len(name), 2)
		le(0, 2)
		le(1, 4)
		le(kind, 4)
		b = append(b, padded...)
		if kind == 19 {
			b = append(b, make([]byte, size+4)...) // an empty list, and its end
			continue
		}
		le(pairs[i+1].(int), 8)
	}
	return append(b, 0, 0, 0, 0)
}

// payloads is what DRR_BEGIN brings with it.
func (f *forger) payloads(m *material) {
	keys := "list"
	for _, p := range []struct {
		name    string
		payload []byte
		want    verdict
	}{
		{"8 zeros", make([]byte, 8), refused},
		{"an empty list in XDR", drr.Pack(), refused},
		{"crypt_keydata in XDR", drr.Pack(drr.Pair{Name: "crypt_keydata", Value: []drr.Pair{}}), refused},
		{"a number", native("evil", 1), refused},
		{"fss", native("fss", keys), refused},
		{"crypt_keydata", native("crypt_keydata", keys), ifRaw(m, harmless)},
		{"crypt_keydata as a number", native("crypt_keydata", 7), refused},
		{"crypt_keydata and more", native("crypt_keydata", keys, "evil", 7), refused},
		{"crypt_keydata twice", native("crypt_keydata", keys, "crypt_keydata", keys), refused},
		{"where to go on", native("resume_object", 1, "resume_offset", 0), ifResumed(m, harmless)},
		{"where to go on, far away", native("resume_object", 1<<40, "resume_offset", 1<<50), ifResumed(m, harmless)},
		{"where to go on, and more", native("resume_object", 1, "resume_offset", 0, "redact_snaps", 0), refused},
		{"more behind the list", append(native("crypt_keydata", keys), "evil"...), refused},
		{"a list without end", native("crypt_keydata", keys)[:40], refused},
		{"100 KiB", append(native(), make([]byte, 100<<10)...), refused},
	} {
		f.begin(m, "with its first record, "+p.name, p.want, func(b *drr.Record) { b.SetPayload(p.payload) })
	}
	for _, n := range []uint64{8, 1 << 20, 1<<32 - 1} {
		f.begin(m, fmt.Sprintf("payload of %d bytes claimed", n), refused, func(b *drr.Record) { b.Set(drr.PayloadLen, n) })
	}
}

func ifRaw(m *material, v verdict) verdict {
	if m.send.Raw {
		return v
	}
	return refused
}

func ifResumed(m *material, v verdict) verdict {
	if m.resume {
		return v
	}
	return refused
}

// kinds puts each type of record into each place.
func (f *forger) kinds(m *material, step int) {
	s := m.parsed()
	for at := 0; at < len(s); at += step {
		for _, kind := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255, 1 << 31} {
			was := s[at].Get(drr.Type)
			if kind == was {
				continue
			}
			want := harmless
			if unknown := kind == 0 || kind == 6 || kind > 9; unknown || was == drr.Begin || was == drr.End {
				want = refused
			}
			f.add(m, fmt.Sprintf("record %d of type %d is of type %d", at, was, kind), want, func(s drr.Stream) drr.Stream {
				s[at].Set(drr.Type, kind)
				return s
			})
			f.lastIf(closes(m, s, at))
		}
	}
}

// orders drops, doubles, swaps and adds records.
func (f *forger) orders(m *material, step int) {
	s := m.parsed()
	for at := 0; at < len(s); at += step {
		want := harmless
		if kind := s[at].Get(drr.Type); kind == drr.Begin || kind == drr.End {
			want = refused
		}
		f.add(m, fmt.Sprintf("record %d dropped", at), want, func(s drr.Stream) drr.Stream { return append(s[:at:at], s[at+1:]...) })
		f.lastIf(closes(m, s, at))
		f.add(m, fmt.Sprintf("record %d twice", at), want, func(s drr.Stream) drr.Stream {
			return append(append(s[:at:at], s[at].Clone(), s[at]), s[at+1:]...)
		})
		if at == len(s)-1 {
			f.last()
			continue
		}
		f.add(m, fmt.Sprintf("records %d and %d swapped", at, at+1), harmless, func(s drr.Stream) drr.Stream {
			s[at], s[at+1] = s[at+1], s[at]
			return s
		})
		f.bytes(m, fmt.Sprintf("cut behind record %d", at), refused, func() []byte { return m.parsed()[:at+1].Bytes() })
		f.lastIf(closes(m, s, at+1))
		f.bytes(m, fmt.Sprintf("cut in record %d", at), refused, func() []byte {
			b := m.parsed()[:at+1].Bytes()
			return b[:len(b)-7]
		})
	}
	f.bytes(m, "nothing", refused, func() []byte { return nil })
	f.add(m, "backwards", refused, func(s drr.Stream) drr.Stream {
		for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
			s[i], s[j] = s[j], s[i]
		}
		return s
	})
}

// tails puts something behind the end, or before the beginning.
func (f *forger) tails(m *material) {
	alien, err := drr.Parse(f.alien)
	if err != nil {
		panic(err)
	}
	dear := alien.Clone()
	dear[0].SetName("b/sink/pusher2/x@s0")
	for _, tail := range []struct {
		name string
		b    []byte
	}{
		{"a byte", []byte{0}}, {"311 zeros", make([]byte, 311)}, {"312 zeros", make([]byte, 312)}, {"a stream of another dataset", f.alien},
		{"a stream of another client's dataset", dear.Bytes()}, {"itself", m.stream}, {"a package", drr.Package("b/evil@s0", nil, alien).Bytes()},
		{"a mebibyte", make([]byte, 1<<20)},
	} {
		f.bytes(m, "behind it "+tail.name, refused, func() []byte { return append(m.parsed().Bytes(), tail.b...) })
		f.last()
		f.bytes(m, "before it "+tail.name, refused, func() []byte { return append(append([]byte{}, tail.b...), m.parsed().Bytes()...) })
	}
	f.add(m, "another end behind it", refused, func(s drr.Stream) drr.Stream { return append(s, drr.New(drr.End, s[0].Order)) })
	f.last()
}

// ends changes what the last record of a substream says.
func (f *forger) ends(m *material) {
	at := func(s drr.Stream) *drr.Record {
		if len(m.brings) > 1 {
			return s[len(s)-2]
		}
		return s[len(s)-1]
	}
	for _, g := range []uint64{0, uint64(f.foreign), 1<<64 - 1} {
		f.add(m, fmt.Sprintf("it ends guid %d", g), refused, func(s drr.Stream) drr.Stream { at(s).Set(drr.EndGUID, g); return s })
	}
	f.add(m, "wrong sum at its end", harmless, func(s drr.Stream) drr.Stream { at(s).Verbatim = true; at(s).Head[300]++; return s })
	f.add(m, "other byte order", harmless, func(s drr.Stream) drr.Stream { return s.Swap() })
	f.add(m, "other byte order, and a clone", refused, func(s drr.Stream) drr.Stream {
		s = s.Swap()
		b := plain(m, s, 0)
		b.Set(drr.Flags, b.Get(drr.Flags)|1)
		return s
	})
	f.add(m, "other byte order, and another guid", refused, func(s drr.Stream) drr.Stream {
		s = s.Swap()
		plain(m, s, 0).Set(drr.ToGUID, uint64(f.foreign))
		return s
	})
	f.add(m, "its first record alone in the other byte order", refused, func(s drr.Stream) drr.Stream {
		n := 0
		if len(m.brings) > 1 {
			n = 2
		}
		s[n] = drr.Stream{s[n]}.Swap()[0]
		return s
	})
}

// noise flips bits at random places, the same in every run.
func (f *forger) noise(m *material, count int) {
	for i := range count {
		rng := rand.New(rand.NewPCG(uint64(i), 7))
		f.add(m, fmt.Sprintf("noise %d", i), harmless, func(s drr.Stream) drr.Stream {
			for range 1 + rng.IntN(3) {
				r := s[rng.IntN(len(s))]
				r.Head[rng.IntN(280)] ^= 1 << rng.IntN(8)
			}
			return s
		})
	}
}
