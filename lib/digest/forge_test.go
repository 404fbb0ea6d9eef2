package digest

import (
	"encoding/binary"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

// Features of streams (DMU_BACKUP_FEATURE_*).
const (
	embedded    = 1 << 16
	largeBlocks = 1 << 19
	resuming    = 1 << 20
	redacted    = 1 << 21
	compressed  = 1 << 22
	raw         = 1 << 24
)

// Fields of records besides those that forge knows.
const (
	number      = forge.Field(8<<4 | 8)
	kind        = forge.Field(16<<4 | 4)
	bonusKind   = forge.Field(20<<4 | 4)
	blockSize   = forge.Field(24<<4 | 4)
	bonusLength = forge.Field(28<<4 | 4)
	rawBonus    = forge.Field(36<<4 | 4)
	freeCount   = forge.Field(16<<4 | 8)
	writeAt     = forge.Field(24<<4 | 8)
	writeLength = forge.Field(32<<4 | 8)
	storedSize  = forge.Field(96<<4 | 8)
	freeAt      = forge.Field(16<<4 | 8)
	freeLength  = forge.Field(24<<4 | 8)
	spillLength = forge.Field(16<<4 | 8)
	embedLength = forge.Field(52<<4 | 4)
)

var little = binary.ByteOrder(binary.LittleEndian)

// whole makes a full stream of records.
func whole(order binary.ByteOrder, features uint64, records ...*forge.Record) forge.Stream {
	begin, end := forge.New(forge.Begin, order), forge.New(forge.End, order)
	begin.SetHeader(1)
	begin.SetFeatures(features)
	begin.Set(forge.ObjectSet, 2)
	begin.Set(forge.ToGUID, 77)
	begin.SetName("tank/a@s")
	end.Set(forge.EndGUID, 77)
	return slices.Concat(forge.Stream{begin}, records, forge.Stream{end})
}

func with(r *forge.Record, payload []byte, fields ...any) *forge.Record {
	r.Payload = payload
	for i := 0; i < len(fields); i += 2 {
		r.Set(fields[i].(forge.Field), uint64(fields[i+1].(int)))
	}
	return r
}

// objectRecord pads the bonus as OpenZFS does, with what is in memory.
func objectRecord(o binary.ByteOrder, n int, bonus string) *forge.Record {
	padded := []byte(bonus)
	for len(padded)%8 != 0 {
		padded = append(padded, byte(n))
	}
	return with(forge.New(forge.Object, o), padded, number, n, kind, 19, bonusKind, 44, bonusLength, len(bonus))
}

func writeRecord(o binary.ByteOrder, n, at int, data []byte) *forge.Record {
	return with(forge.New(forge.Write, o), data, number, n, writeAt, at, writeLength, len(data))
}

func freeRecord(o binary.ByteOrder, n, at, length int) *forge.Record {
	return with(forge.New(forge.Free, o), nil, number, n, freeAt, at, freeLength, length)
}

func freeObjects(o binary.ByteOrder, n, count int) *forge.Record {
	return with(forge.New(forge.FreeObjects, o), nil, number, n, freeCount, count)
}

func spillRecord(o binary.ByteOrder, n int, data []byte) *forge.Record {
	return with(forge.New(forge.Spill, o), data, number, n, spillLength, len(data))
}

// rawWrite is a block as it is encrypted and compressed on disk.
func rawWrite(o binary.ByteOrder, n, at, length int, data []byte, compression byte, cipher string) *forge.Record {
	r := with(forge.New(forge.Write, o), data, number, n, writeAt, at, writeLength, length, storedSize, len(data))
	r.Head[50] = compression
	copy(r.Head[104:140], cipher)
	return r
}

// file is what an object holds.
type file struct {
	number int
	bonus  string
	data   []byte // with holes
	spill  []byte
}

// records writes files as one sender would: with blocks of a size, all objects
// of a block of dnodes first or one object after the other, and zeros as holes
// or as blocks.
func records(o binary.ByteOrder, files []file, block int, objectsFirst, holes bool) []*forge.Record {
	var out []*forge.Record
	for len(files) > 0 {
		n := 1
		for objectsFirst && n < len(files) && files[n].number/32 == files[0].number/32 {
			n++
		}
		for _, f := range files[:n] {
			out = append(out, objectRecord(o, f.number, f.bonus), freeRecord(o, f.number, len(f.data), -1))
		}
		for _, f := range files[:n] {
			out = append(out, blocks(o, f, block, holes)...)
		}
		files = files[n:]
	}
	return out
}

func blocks(o binary.ByteOrder, f file, block int, holes bool) []*forge.Record {
	var out []*forge.Record
	for at := 0; at < len(f.data); at += block {
		data := slices.Concat(f.data[at:min(at+block, len(f.data))])
		for len(data) < block {
			data = append(data, 0)
		}
		if holes && len(trimZeros(data)) == 0 {
			out = append(out, freeRecord(o, f.number, at, block))
			continue
		}
		out = append(out, writeRecord(o, f.number, at, data))
	}
	if f.spill != nil {
		out = append(out, spillRecord(o, f.number, f.spill))
	}
	return out
}
