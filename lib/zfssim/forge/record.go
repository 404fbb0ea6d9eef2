package forge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Size is the size of every record without its payload (dmu_replay_record in
// OpenZFS's sys/zfs_ioctl.h).
const Size = 312

// Types of records.
const (
	Begin         = 0
	Object        = 1
	FreeObjects   = 2
	Write         = 3
	Free          = 4
	End           = 5
	WriteByRef    = 6
	Spill         = 7
	WriteEmbedded = 8
	ObjectRange   = 9
	Redact        = 10
)

// Magic is what the field Magic of a DRR_BEGIN holds.
const MagicNumber = 0x2f5bacbac

// A Record is one record of a stream. Its payload is what follows it in the
// stream, whatever its fields say of the length.
type Record struct {
	Head     [Size]byte
	Payload  []byte
	Order    binary.ByteOrder
	Verbatim bool // Bytes leaves the checksums in Head as they are
}

// A Field is a number in a record: its offset times 16, and its size in bytes.
type Field uint16

// The fields of every record, and those of DRR_BEGIN and DRR_END.
const (
	Type        Field = 0<<4 | 4
	PayloadLen  Field = 4<<4 | 4
	Magic       Field = 8<<4 | 8
	VersionInfo Field = 16<<4 | 8
	Creation    Field = 24<<4 | 8
	ObjectSet   Field = 32<<4 | 4
	Flags       Field = 36<<4 | 4
	ToGUID      Field = 40<<4 | 8
	FromGUID    Field = 48<<4 | 8
	EndGUID     Field = 40<<4 | 8
	ObjectType  Field = 16<<4 | 4 // of a WRITE: what its object holds; zfs-sim leaves it 0
)

// Object types of what people write.
const (
	FileContents   = 19 // DMU_OT_PLAIN_FILE_CONTENTS
	VolumeContents = 23 // DMU_OT_ZVOL
)

const nameAt, nameSize = 56, 256

// Get returns the value of a field.
func (r *Record) Get(f Field) uint64 {
	p := r.Head[f>>4:]
	if f&15 == 4 {
		return uint64(r.Order.Uint32(p))
	}
	return r.Order.Uint64(p)
}

// Set changes a field.
func (r *Record) Set(f Field, v uint64) {
	p := r.Head[f>>4:]
	if f&15 == 4 {
		r.Order.PutUint32(p, uint32(v))
		return
	}
	r.Order.PutUint64(p, v)
}

// Header returns the two lowest bits of VersionInfo: 1 is a plain stream, 2 a
// package.
func (r *Record) Header() uint64 { return r.Get(VersionInfo) & 3 }

// SetHeader changes the two lowest bits of VersionInfo.
func (r *Record) SetHeader(v uint64) { r.Set(VersionInfo, r.Get(VersionInfo)&^3|v&3) }

// Features returns the feature flags in VersionInfo.
func (r *Record) Features() uint64 { return r.Get(VersionInfo) >> 2 & (1<<56 - 1) }

// SetFeatures changes the feature flags in VersionInfo.
func (r *Record) SetFeatures(v uint64) {
	const mask = (1<<56 - 1) << 2
	r.Set(VersionInfo, r.Get(VersionInfo)&^mask|v<<2&mask)
}

// Name returns the name in a DRR_BEGIN up to its first NUL.
func (r *Record) Name() string {
	name, _, _ := bytes.Cut(r.Head[nameAt:], []byte{0})
	return string(name)
}

// SetName fills the name field of a DRR_BEGIN: at most 256 bytes, in which
// NULs may stand, and NULs to its end.
func (r *Record) SetName(name string) {
	clear(r.Head[nameAt:])
	copy(r.Head[nameAt:nameAt+nameSize], name)
}

// Clone returns a copy that shares nothing.
func (r *Record) Clone() *Record {
	c := *r
	c.Payload = slices.Clone(r.Payload)
	return &c
}

// New returns a record of a type, with nothing else set but a DRR_BEGIN's magic.
func New(kind uint64, order binary.ByteOrder) *Record {
	r := &Record{Order: order}
	r.Set(Type, kind)
	if kind == Begin {
		r.Set(Magic, MagicNumber)
	}
	return r
}

var errCut = errors.New("the stream ends inside a record")

// payload is how much zfs receive reads after a record (the
// DRR_*_PAYLOAD_SIZE in sys/zfs_ioctl.h).
func (r *Record) payload() (uint64, error) {
	u32 := func(at int) uint64 { return uint64(r.Order.Uint32(r.Head[at:])) }
	u64 := func(at int) uint64 { return r.Order.Uint64(r.Head[at:]) }
	round := func(n uint64) uint64 { return (n + 7) &^ 7 }
	switch kind := r.Get(Type); kind {
	case Begin:
		return r.Get(PayloadLen), nil
	case Object:
		if raw := u32(36); raw != 0 {
			return raw, nil
		}
		return round(u32(28)), nil
	case Write:
		if r.Head[50] != 0 { // compressed
			return u64(96), nil
		}
		return u64(32), nil
	case Spill:
		if n := u64(40); n != 0 { // compressed
			return n, nil
		}
		return u64(16), nil
	case WriteEmbedded:
		return round(u32(52)), nil
	case FreeObjects, Free, End, WriteByRef, ObjectRange, Redact:
		return 0, nil
	default:
		return 0, fmt.Errorf("a record has the type %d, which is not known", kind)
	}
}
