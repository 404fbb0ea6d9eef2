package stream

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Kind is the type of a record.
type Kind uint32

// The types of records that Reader returns.
const (
	Object        Kind = recordObject
	FreeObjects   Kind = recordFreeObjects
	Write         Kind = recordWrite
	Free          Kind = recordFree
	Spill         Kind = recordSpill
	WriteEmbedded Kind = recordWriteEmbedded
	ObjectRange   Kind = recordObjectRange
)

// maxBlock and maxBonus are the largest block and bonus that OpenZFS knows.
const (
	maxBlock = 16 << 20
	maxBonus = 16 << 10
)

// Record is a record after the first. Fields that its kind has not are 0.
type Record struct {
	Kind        Kind
	Object      uint64 // FreeObjects, ObjectRange: the first one
	Count       uint64 // FreeObjects: how many
	Type        uint32 // Object
	BonusType   uint32 // Object
	BonusLength uint32 // Object: without what pads it
	RawBonus    uint32 // Object: bytes of a raw stream's bonus, 0: it is not raw
	Offset      uint64 // Write, Free, WriteEmbedded
	Length      uint64 // Write, Spill: of the block, decompressed; Free, where 2^64-1 is all
	Compression uint8  // Write, Spill: of the payload, 0: none
	Flags       uint8  // Write, Spill: of a raw stream
	Cipher      [cipherSize]byte
	Payload     uint64 // bytes that Data returns
}

// cipherSize is the length of salt, initialization vector and MAC of a raw
// block, which stand in this order.
const cipherSize = 8 + 12 + 16

func parseRecord(order binary.ByteOrder, b []byte) *Record {
	r := &Record{Kind: Kind(order.Uint32(b)), Object: order.Uint64(b[8:])}
	switch r.Kind {
	case Object:
		r.Type, r.BonusType = order.Uint32(b[16:]), order.Uint32(b[20:])
		r.BonusLength, r.RawBonus = order.Uint32(b[28:]), order.Uint32(b[36:])
	case FreeObjects:
		r.Count = order.Uint64(b[16:])
	case Write:
		r.Offset, r.Length = order.Uint64(b[24:]), order.Uint64(b[32:])
		r.Flags, r.Compression = b[49], b[50]
		r.Cipher = [cipherSize]byte(b[104:])
	case Free:
		r.Offset, r.Length = order.Uint64(b[16:]), order.Uint64(b[24:])
	case Spill:
		r.Length, r.Flags, r.Compression = order.Uint64(b[16:]), b[32], b[33]
		r.Cipher = [cipherSize]byte(b[48:])
	case WriteEmbedded:
		r.Offset, r.Length = order.Uint64(b[16:]), order.Uint64(b[24:])
	}
	return r
}

// checkSizes refuses sizes that no dataset has.
func (r *Record) checkSizes() error {
	switch {
	case r.Kind == Object && max(r.Payload, uint64(r.BonusLength)) > maxBonus:
		return fmt.Errorf("object %d has a bonus of %d bytes: at most %d", r.Object, max(r.Payload, uint64(r.BonusLength)), maxBonus)
	case (r.Kind == Write || r.Kind == Spill) && max(r.Payload, r.Length) > maxBlock:
		return fmt.Errorf("object %d has a block of %d bytes: at most %d", r.Object, max(r.Payload, r.Length), maxBlock)
	case r.Kind == Write && r.Offset > math.MaxInt64:
		return fmt.Errorf("object %d has a block at %d, where no file can have one", r.Object, r.Offset)
	}
	return nil
}
