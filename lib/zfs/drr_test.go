package zfs

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// rec is a record, in one byte order or the other.
func rec(order binary.AppendByteOrder, kind uint32, payload int, set func(b []byte, o binary.ByteOrder)) []byte {
	o := order.(binary.ByteOrder)
	b := make([]byte, drrSize+payload)
	o.PutUint32(b, kind)
	if set != nil {
		set(b, o)
	}
	return b
}

// beginRec is a DRR_BEGIN.
func beginRec(order binary.AppendByteOrder, header, to, from uint64, name string, payload int) []byte {
	return rec(order, drrBegin, payload, func(b []byte, o binary.ByteOrder) {
		o.PutUint32(b[4:], uint32(payload))
		o.PutUint64(b[8:], drrMagic)
		o.PutUint64(b[16:], header)
		o.PutUint64(b[40:], to)
		o.PutUint64(b[48:], from)
		copy(b[drrNameAt:], name)
	})
}

// body is one record of every type that has a payload, and some that have none.
func body(order binary.AppendByteOrder) []byte {
	return slices.Concat(
		rec(order, drrObject, 16, func(b []byte, o binary.ByteOrder) { o.PutUint32(b[28:], 9) }),
		rec(order, drrObject, 24, func(b []byte, o binary.ByteOrder) { o.PutUint32(b[28:], 9); o.PutUint32(b[36:], 24) }),
		rec(order, drrFreeObjects, 0, func(b []byte, o binary.ByteOrder) { o.PutUint32(b[4:], 312) }), // a lie
		rec(order, drrWrite, 1000, func(b []byte, o binary.ByteOrder) { o.PutUint64(b[32:], 1000) }),
		rec(order, drrWrite, 70, func(b []byte, o binary.ByteOrder) { o.PutUint64(b[32:], 1000); b[50] = 15; o.PutUint64(b[96:], 70) }),
		rec(order, drrFree, 0, nil),
		rec(order, drrWriteByRef, 0, nil),
		rec(order, drrSpill, 512, func(b []byte, o binary.ByteOrder) { o.PutUint64(b[16:], 512) }),
		rec(order, drrSpill, 30, func(b []byte, o binary.ByteOrder) { o.PutUint64(b[16:], 512); o.PutUint64(b[40:], 30) }),
		rec(order, drrWriteEmbedded, 56, func(b []byte, o binary.ByteOrder) { o.PutUint32(b[52:], 50) }),
		rec(order, drrObjectRange, 0, nil),
		rec(order, drrRedact, 0, nil),
	)
}

func TestFollow(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		end := rec(order, drrEnd, 0, nil)
		pack := slices.Concat(beginRec(order, drrCompound, 0, 0, "p/a@4", 0), end)
		sub := func(to, from uint64, name string) []byte {
			return slices.Concat(beginRec(order, drrSubstream, to, from, name, 8), body(order), end)
		}
		for _, c := range []struct {
			name   string
			stream []byte
			want   string
		}{
			{"one", slices.Concat(pack, sub(4, 1, "p/a@4"), end), ""},
			{"three", slices.Concat(pack, sub(2, 1, "p/a@2"), sub(3, 2, "p/a@3"), sub(4, 3, "p/a@4"), end), ""},
			{"none", slices.Concat(pack, end), ""},
			{"a plain stream", sub(4, 1, "p/a@4"), ""},
			{"a child", slices.Concat(pack, sub(2, 1, "p/a@2"), sub(9, 0, "p/a/c@1"), end), `of "p/a/c"`},
			{"a gap", slices.Concat(pack, sub(2, 1, "p/a@2"), sub(4, 3, "p/a@4"), end), "from guid 3, not 2"},
			{"a full one", slices.Concat(pack, sub(2, 1, "p/a@2"), sub(4, 0, "p/a@4"), end), "from guid 0, not 2"},
			{"another base", slices.Concat(pack, sub(4, 2, "p/a@4"), end), "from guid 2, not 1"},
			{"beyond", slices.Concat(pack, sub(4, 1, "p/a@4"), sub(5, 4, "p/a@5"), end), "goes on behind"},
			{"a package within", slices.Concat(pack, pack), "package"},
			{"more behind it", slices.Concat(pack, end, sub(4, 1, "p/a@4")), "does not end"},
			{"no end of the first record", slices.Concat(pack[:drrSize], sub(4, 1, "p/a@4")), "order"},
			{"a stream within a stream", slices.Concat(pack, sub(4, 1, "p/a@4")[:drrSize+8], sub(4, 1, "p/a@4")), "order"},
			{"a record between streams", slices.Concat(pack, body(order)), "order"},
			{"unknown record", slices.Concat(pack, sub(4, 1, "p/a@4")[:drrSize+8], rec(order, 77, 0, nil)), "type 77"},
		} {
			for _, size := range []int{1, 311, 1000, 1 << 20} {
				follow := Expect{To: 4, From: 1, Chain: true}.Follow()
				var err error
				for piece := range slices.Chunk(c.stream, size) {
					if err = follow(piece); err != nil {
						break
					}
				}
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, %s, pieces of %d: %v, not %q", order, c.name, size, err, c.want)
				}
			}
		}
	}
	if (Expect{To: 4}).Follow() != nil {
		t.Error("a plain stream is followed")
	}
}

func TestParseBegin(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		b := beginRec(order, drrSubstream|7<<2, 4, 1, "p/a@4", 8)
		got, err := ParseBegin(b)
		if err != nil || got.ToGUID != 4 || got.FromGUID != 1 || got.ToName != "p/a@4" || got.Payload != 8 || got.Features != 7 || got.Compound {
			t.Errorf("%+v, %v", got, err)
		}
		for n := range drrSize {
			if _, err := ParseBegin(b[:n]); err == nil {
				t.Errorf("%d bytes are enough", n)
			}
		}
		long := beginRec(order, drrSubstream, 4, 1, strings.Repeat("x", 256), 0)
		if _, err := ParseBegin(long); err == nil {
			t.Error("a name without an end")
		}
	}
}

func TestParseExpect(t *testing.T) {
	got, err := ParseExpect("to=18446744073709551615,from=7")
	if err != nil || got != (Expect{To: dataset.GUID(1<<64 - 1), From: 7}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "from=3", "to=0", "to=-1", "to=1,to=2", "to=1,from=1,from=1", "to=1,", "to=1,x", "TO=1", "to=1 "} {
		if got, err := ParseExpect(bad); err == nil {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(beginRec(binary.LittleEndian, drrSubstream, 4, 1, "p/a@4", 8))
	f.Add(slices.Concat(beginRec(binary.BigEndian, drrCompound, 0, 0, "p/a@4", 0), rec(binary.BigEndian, drrEnd, 0, nil),
		beginRec(binary.BigEndian, drrSubstream, 4, 1, "p/a@4", 0), body(binary.BigEndian)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range []Expect{{To: 4, From: 1}, {To: 4, From: 1, Chain: true, Properties: true}} {
			need, err := e.Inspect(b)
			if err == nil && need <= len(b) && len(b) < drrSize {
				t.Fatal("a stream passed that was not looked at")
			}
			if follow := e.Follow(); follow != nil {
				follow(b)
			}
		}
	})
}
