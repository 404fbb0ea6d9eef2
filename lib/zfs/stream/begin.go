package stream

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Where the fields of DRR_BEGIN are. Records are in the sender's byte order.
const (
	beginMagic     = 0x2f5bacbac
	beginPayloadAt = 4
	beginMagicAt   = 8
	beginVersionAt = 16 // header type, feature bits
	beginCreatedAt = 24
	beginTypeAt    = 32
	beginFlagsAt   = 36
	beginToAt      = 40
	beginFromAt    = 48
	beginNameAt    = 56 // to the end of the record
)

// Header types, the two lowest bits of drr_versioninfo.
const (
	headerPlain   = 1
	headerPackage = 2
)

// Types of datasets (dmu_objset_type_t).
const (
	objsetFilesystem = 2
	objsetVolume     = 3
)

// Begin is what a stream says of itself in its first record. It comes from
// the sender, which need not be a friend.
type Begin struct {
	Package  bool   // several streams (send -R, -I, -p); otherwise one plain stream
	Features uint64 // all bits of drr_versioninfo but the header type
	Flags    uint32
	Objset   uint32 // the type of the dataset
	ToGUID   dataset.GUID
	FromGUID dataset.GUID // 0: a full stream
	ToName   string       // the snapshot's full name on the sender
	Created  uint64       // when, in seconds since 1970, as the sender says
	Payload  uint32       // bytes that belong to the record and follow it

	order binary.ByteOrder
}

var errNoStream = errors.New("it is not a stream of zfs send")

// ParseBegin reads the first record of a stream of either byte order. It
// needs 312 bytes. It does not judge what it reads, but for what makes the
// record one: a name that does not end, or that bytes follow after its NUL, is
// an error.
func ParseBegin(b []byte) (Begin, error) {
	if len(b) < recordSize {
		return Begin{}, errNoStream
	}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint64(b[beginMagicAt:]) != beginMagic {
		order = binary.BigEndian
	}
	if order.Uint64(b[beginMagicAt:]) != beginMagic || order.Uint32(b) != recordBegin {
		return Begin{}, errNoStream
	}
	version := order.Uint64(b[beginVersionAt:])
	begin := Begin{
		order:    order,
		Features: version >> 2,
		Objset:   order.Uint32(b[beginTypeAt:]),
		Flags:    order.Uint32(b[beginFlagsAt:]),
		ToGUID:   dataset.GUID(order.Uint64(b[beginToAt:])),
		FromGUID: dataset.GUID(order.Uint64(b[beginFromAt:])),
		Created:  order.Uint64(b[beginCreatedAt:]),
		Payload:  order.Uint32(b[beginPayloadAt:]),
	}
	switch version & 3 {
	case headerPlain:
	case headerPackage:
		begin.Package = true
	default:
		return Begin{}, errNoStream
	}
	name, rest, terminated := bytes.Cut(b[beginNameAt:recordSize], []byte{0})
	switch {
	case !terminated:
		return Begin{}, errors.New("its name has no end")
	case len(bytes.Trim(rest, "\x00")) > 0:
		return Begin{}, errors.New("bytes follow the end of its name")
	}
	begin.ToName = string(name)
	return begin, nil
}
