package stream

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// rec is a record, in one byte order or the other.
func rec(order binary.ByteOrder, kind uint32, payload int, set func(b []byte)) []byte {
	b := make([]byte, recordSize+payload)
	order.PutUint32(b, kind)
	if set != nil {
		set(b)
	}
	return b
}

// beginRec is a DRR_BEGIN of a filesystem.
func beginRec(order binary.ByteOrder, version, to, from uint64, name string, payload []byte) []byte {
	b := rec(order, recordBegin, len(payload), nil)
	order.PutUint32(b[beginPayloadAt:], uint32(len(payload)))
	order.PutUint64(b[beginMagicAt:], beginMagic)
	order.PutUint64(b[beginVersionAt:], version)
	order.PutUint32(b[beginTypeAt:], objsetFilesystem)
	order.PutUint32(b[beginFlagsAt:], flagFreeRecords|flagSpillBlocks)
	order.PutUint64(b[beginToAt:], to)
	order.PutUint64(b[beginFromAt:], from)
	copy(b[beginNameAt:], name)
	copy(b[recordSize:], payload)
	return b
}

// endRec is a DRR_END.
func endRec(order binary.ByteOrder, to uint64) []byte {
	return rec(order, recordEnd, 0, func(b []byte) { order.PutUint64(b[endGUIDAt:], to) })
}

// body is one record of every type that a stream may hold.
func body(o binary.ByteOrder) []byte {
	return slices.Concat(
		rec(o, recordObject, 16, func(b []byte) { o.PutUint32(b[28:], 9) }),
		rec(o, recordObject, 24, func(b []byte) { o.PutUint32(b[28:], 9); o.PutUint32(b[36:], 24) }),
		rec(o, recordFreeObjects, 0, func(b []byte) { o.PutUint32(b[4:], 312) }), // a lie
		rec(o, recordWrite, 1000, func(b []byte) { o.PutUint64(b[32:], 1000) }),
		rec(o, recordWrite, 70, func(b []byte) { o.PutUint64(b[32:], 1000); b[50] = 15; o.PutUint64(b[96:], 70) }),
		rec(o, recordFree, 0, nil),
		rec(o, recordSpill, 512, func(b []byte) { o.PutUint64(b[16:], 512) }),
		rec(o, recordSpill, 30, func(b []byte) { o.PutUint64(b[16:], 512); o.PutUint64(b[40:], 30) }),
		rec(o, recordWriteEmbedded, 56, func(b []byte) { o.PutUint32(b[52:], 50) }),
		rec(o, recordObjectRange, 0, nil),
	)
}

var orders = []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}

func TestParseBegin(t *testing.T) {
	for _, order := range orders {
		b := beginRec(order, headerPlain|7<<2, 4, 1, "p/a@4", make([]byte, 8))
		got, err := ParseBegin(b)
		if err != nil || got.ToGUID != 4 || got.FromGUID != 1 || got.ToName != "p/a@4" || got.Payload != 8 ||
			got.Features != 7 || got.Package || got.Objset != objsetFilesystem || got.Flags != flagFreeRecords|flagSpillBlocks {
			t.Errorf("%+v, %v", got, err)
		}
		for n := range recordSize {
			if _, err := ParseBegin(b[:n]); err == nil {
				t.Errorf("%d bytes are enough", n)
			}
		}
		for name, bad := range map[string][]byte{
			"a name without an end":       beginRec(order, headerPlain, 4, 1, strings.Repeat("x", 256), nil),
			"a name with a NUL in it":     beginRec(order, headerPlain, 4, 1, "p/a@4\x00x", nil),
			"a name with a NUL far ahead": beginRec(order, headerPlain, 4, 1, "p/a@4"+strings.Repeat("\x00", 250)+"x", nil),
			"no type of header":           beginRec(order, 0, 4, 1, "p/a@4", nil),
			"both types of header":        beginRec(order, 3, 4, 1, "p/a@4", nil),
			"another record":              endRec(order, 4),
		} {
			if got, err := ParseBegin(bad); err == nil {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}
