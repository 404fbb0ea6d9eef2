package digest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

func sumOf(t *testing.T, s forge.Stream) Sum {
	t.Helper()
	r, err := Stream(bytes.NewReader(s.Bytes()), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Sum
}

// randomFiles makes objects with runs of data and of zeros.
func randomFiles(r *rand.Rand) []file {
	var files []file
	n := 0
	for range 1 + r.IntN(6) {
		n += 1 + r.IntN(40)
		f := file{number: n, bonus: strings.Repeat("b", r.IntN(40))}
		for range r.IntN(5) {
			run := make([]byte, r.IntN(100<<10))
			if r.IntN(2) == 0 {
				for i := range run {
					run[i] = byte(r.Uint32())
				}
			}
			f.data = append(f.data, run...)
		}
		if r.IntN(3) == 0 {
			f.spill = bytes.Repeat([]byte{byte(n)}, 512)
		}
		files = append(files, f)
	}
	return files
}

// The digest depends on what objects hold and on nothing else: not on block
// sizes, holes, and the order in which versions of OpenZFS send.
func TestSameContents(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{512, 1536, 4096, 128 << 10, 1 << 20}
	for range 12 {
		files := randomFiles(r)
		want := sumOf(t, whole(little, 0, records(little, files, 128<<10, false, true)...))
		for range 4 {
			block, first, holes := sizes[r.IntN(len(sizes))], r.IntN(2) == 0, r.IntN(2) == 0
			if got := sumOf(t, whole(little, largeBlocks, records(little, files, block, first, holes)...)); got != want {
				t.Fatalf("blocks of %d, objects first %v, holes %v: %v, not %v", block, first, holes, got, want)
			}
		}
	}
}

// Any change of what an object holds changes the digest, and which object it is
// shows in those of the objects.
func TestOtherContents(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 12 {
		files := randomFiles(r)
		changed := slices.Clone(files)
		i := r.IntN(len(files))
		f := &changed[i]
		how := r.IntN(4)
		switch {
		case how == 0 && len(f.data) > 0:
			f.data = slices.Clone(f.data)
			f.data[r.IntN(len(f.data))] ^= 1
		case how == 1 && f.spill != nil:
			f.spill = bytes.Repeat([]byte{0xff}, 512)
		case how == 2:
			f.data = slices.Concat(make([]byte, 512), f.data, []byte{1}) // moved
		default:
			f.bonus += "\x00"
		}
		var a, b []Object
		one := objects(t, files, &a)
		if two := objects(t, changed, &b); one == two {
			t.Fatalf("change %d of object %d leaves the digest as it is", how, f.number)
		}
		for n := range a {
			if same := a[n] == b[n]; same == (n == i) || a[n].Number != uint64(files[n].number) {
				t.Errorf("change %d of object %d: object %d is the same: %v", how, f.number, a[n].Number, same)
			}
		}
	}
}

func objects(t *testing.T, files []file, out *[]Object) Sum {
	t.Helper()
	s := whole(little, 0, records(little, files, 4096, false, true)...)
	r, err := Stream(bytes.NewReader(s.Bytes()), func(o Object) error {
		*out = append(*out, o)
		return nil
	})
	if err != nil || r.Objects != uint64(len(*out)) || len(*out) != len(files) {
		t.Fatal(r, len(*out), err)
	}
	return r.Sum
}

// Each field of what is hashed counts.
func TestFieldsCount(t *testing.T) {
	base := func() forge.Stream {
		return whole(little, raw, objectRecord(little, 5, "bonus567"),
			rawWrite(little, 5, 0, 4096, make([]byte, 512), 15, "salt____ivivivivivivmacmacmacmacmacm"), spillRecord(little, 5, make([]byte, 512)))
	}
	want := sumOf(t, base())
	for name, change := range map[string]func(s forge.Stream){
		"volume":        func(s forge.Stream) { s[0].Set(forge.ObjectSet, 3) },
		"type":          func(s forge.Stream) { s[1].Set(kind, 20) },
		"type of bonus": func(s forge.Stream) { s[1].Set(bonusKind, 20) },
		"bonus":         func(s forge.Stream) { s[1].Payload[7] = 'x' },
		"data":          func(s forge.Stream) { s[2].Payload[7] = 'x' },
		"offset":        func(s forge.Stream) { s[2].Set(writeAt, 4096) },
		"length":        func(s forge.Stream) { s[2].Set(writeLength, 8192) },
		"compression":   func(s forge.Stream) { s[2].Head[50] = 16 },
		"flags":         func(s forge.Stream) { s[2].Head[49] = 2 },
		"both flags":    func(s forge.Stream) { s[2].Head[49] = 3 },
		"flag of spill": func(s forge.Stream) { s[3].Head[32] = 2 },
		"salt":          func(s forge.Stream) { s[2].Head[104] = 2 },
		"iv":            func(s forge.Stream) { s[2].Head[112] = 2 },
		"mac":           func(s forge.Stream) { s[2].Head[139] = 2 },
		"spill":         func(s forge.Stream) { s[3].Payload[7] = 'x' },
		"mac of spill":  func(s forge.Stream) { s[3].Head[83] = 'x' },
	} {
		s := base()
		change(s)
		if sumOf(t, s) == want {
			t.Errorf("%s does not count", name)
		}
	}
	for name, change := range map[string]func(s forge.Stream){
		// DRR_CHECKSUM_DEDUP: the sender's checksum is a strong one.
		"dedup":    func(s forge.Stream) { s[2].Head[49], s[3].Head[32] = 1, 1 },
		"guid":     func(s forge.Stream) { s[0].Set(forge.ToGUID, 3); s[4].Set(forge.EndGUID, 3) },
		"name":     func(s forge.Stream) { s[0].SetName("other/b@x") },
		"block":    func(s forge.Stream) { s[1].Set(blockSize, 512) },
		"creation": func(s forge.Stream) { s[0].Set(forge.Creation, 512) },
		"key":      func(s forge.Stream) { s[0].SetPayload([]byte("wrapped.")) },
	} {
		s := base()
		change(s)
		if got := sumOf(t, s); got != want {
			t.Errorf("%s counts", name)
		}
	}
}

// What is not all of a snapshot, or not in order, has no digest.
func TestRefuses(t *testing.T) {
	data := bytes.Repeat([]byte{7}, 512)
	o, w := objectRecord(little, 5, ""), writeRecord(little, 5, 512, data)
	object := func(n int) *forge.Record { return objectRecord(little, n, "") }
	embed := with(forge.New(forge.WriteEmbedded, little), make([]byte, 8), number, 5, embedLength, 8)
	squeezed := rawWrite(little, 5, 512, 512, data, 15, "")
	incremental := whole(little, 0, o, w)
	incremental[0].Set(forge.FromGUID, 3)
	pool := whole(little, 0, o, w)
	pool[0].Set(forge.ObjectSet, 1)
	otherEnd := whole(little, 0, o, w)
	otherEnd[3].Set(forge.EndGUID, 3)
	for _, c := range []struct {
		want string
		s    forge.Stream
	}{
		{"package", forge.Package("tank/a@s", nil, whole(little, 0, o, w))},
		{"incremental, from guid 3", incremental},
		{"rest of an interrupted", whole(little, resuming, o, w)},
		{"redacted", whole(little, redacted, o, w)},
		{"without -c", whole(little, compressed, o, w)},
		{"without -c", whole(little, 0, o, squeezed)},
		{"without -e", whole(little, embedded, o, w)},
		{"without -e", whole(little, raw, o, embed)},
		{"deduplicated", whole(little, 1, o, w)},
		{"not known", whole(little, 1<<40, o, w)},
		{"neither", pool},
		{"ends the snapshot with guid 3", otherEnd},
		{"wrong place", whole(little, 0, w)},
		{"wrong place", whole(little, 0, o, object(6), writeRecord(little, 6, 0, data), w)},
		{"wrong place", whole(little, 0, o, object(32), w)},
		{"wrong place", whole(little, 0, o, w, object(6), w)},
		{"after object 5", whole(little, 0, o, object(5))},
		{"after object 5", whole(little, 0, o, object(3))},
		{"object 0", whole(little, 0, object(0))},
		{"after 1024", whole(little, 0, o, w, writeRecord(little, 5, 0, data))},
		{"after 1024", whole(little, 0, o, w, w)},
		{"frees what it wrote", whole(little, 0, o, w, freeRecord(little, 5, 0, -1))},
		{"frees what it wrote", whole(little, 0, o, w, object(6), freeRecord(little, 5, 4096, -1))},
		{"frees object 5", whole(little, 0, o, w, freeObjects(little, 5, 1))},
		{"two spill", whole(little, 0, o, spillRecord(little, 5, data), spillRecord(little, 5, data))},
		{"at most 16777216", whole(little, 0, o, writeRecord(little, 5, 0, make([]byte, 16<<20+512)))},
		{"at most 16384", whole(little, 0, objectRecord(little, 5, strings.Repeat("x", 16<<10+1)))},
		{"no file can", whole(little, 0, o, writeRecord(little, 5, -512, data))},
		{"wrong order", whole(little, 0, whole(little, 0, o)[0])},
		{"type 77", whole(little, 0, forge.New(77, little))},
	} {
		r, err := Stream(bytes.NewReader(c.s.Bytes()), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || r.Sum != (Sum{}) {
			t.Errorf("%v, not %q", err, c.want)
		}
	}
	good := whole(little, 0, freeObjects(little, 0, 1), o, w, freeObjects(little, 6, 26)).Bytes()
	for name, bad := range map[string][]byte{"bytes follow": append(slices.Clone(good), 0), "nothing": nil, "it is not a stream": make([]byte, 400)} {
		if _, err := Stream(bytes.NewReader(bad), nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, not %q", err, name)
		}
	}
}

// A stream that is cut anywhere has no digest, nor one with any byte changed; and
// it does not matter how it arrives.
func TestDamage(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		good := whole(order, 0, objectRecord(order, 5, "bonus"), writeRecord(order, 5, 0, bytes.Repeat([]byte("x"), 1024)),
			spillRecord(order, 5, bytes.Repeat([]byte("y"), 512))).Bytes()
		want, err := Stream(iotest.OneByteReader(bytes.NewReader(good)), nil)
		if err != nil || want.BigEndian != (order == binary.ByteOrder(binary.BigEndian)) || want.Bytes != 1536 || want.GUID != 77 || want.Name != "tank/a@s" {
			t.Fatalf("%+v, %v", want, err)
		}
		for n := 0; n < len(good); n += 23 {
			if _, err := Stream(bytes.NewReader(good[:n]), nil); err == nil {
				t.Fatalf("%d of %d bytes have a digest", n, len(good))
			}
			bad := slices.Clone(good)
			bad[n] ^= 0x10
			if r, err := Stream(bytes.NewReader(bad), nil); err == nil {
				t.Fatalf("with byte %d changed it has the digest %v", n, r.Sum)
			}
		}
	}
}

// Many objects without data need no more memory than one.
func TestMemory(t *testing.T) {
	const many = 20000
	var all []*forge.Record
	for n := range many {
		all = append(all, objectRecord(little, n+1, "bonus567"))
	}
	s := whole(little, 0, all...).Bytes()
	in := bytes.NewReader(s)
	allocated := testing.AllocsPerRun(1, func() {
		in.Reset(s)
		if r, err := Stream(in, nil); err != nil || r.Objects != many {
			t.Fatal(r, err)
		}
	})
	if allocated > 5*many { // small ones, none of which is kept
		t.Errorf("%v allocations", allocated)
	}
}

func FuzzStream(f *testing.F) {
	data := bytes.Repeat([]byte{7}, 512)
	f.Add(whole(little, 0, objectRecord(little, 5, "bonus"), writeRecord(little, 5, 512, data), spillRecord(little, 5, data), freeRecord(little, 5, 4096, -1)).Bytes(), 700)
	f.Add(whole(binary.BigEndian, raw, objectRecord(binary.BigEndian, 5, "bonus")).Bytes(), 9)
	f.Add(forge.Package("tank/a@s", nil, whole(little, 0)).Bytes(), 1)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		if s, err := forge.Parse(b); err == nil && len(b) < 1<<20 {
			b = s.Bytes() // with right sums, so that more than those is looked at
		}
		r, err := Stream(bytes.NewReader(b), nil)
		again, err2 := Stream(iotest.HalfReader(bytes.NewReader(b)), nil)
		if r != again || (err == nil) != (err2 == nil) {
			t.Fatalf("%+v (%v), and in other parts %+v (%v)", r, err, again, err2)
		}
		if err != nil {
			if r.Sum != (Sum{}) {
				t.Fatal("a bad stream has a digest")
			}
			return
		}
		cut := b[:max(at, -(at+1))%len(b)]
		if _, err := Stream(bytes.NewReader(cut), nil); err == nil {
			t.Fatalf("%d of %d bytes have a digest", len(cut), len(b))
		}
	})
}
