package zfssim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// Records have the frame of OpenZFS's dmu_replay_record (sys/zfs_ioctl.h):
// 312 bytes, type and payload length first, the payload behind, and in every
// record but the first the running fletcher-4 sum of all before it. The first,
// DRR_BEGIN, is as OpenZFS writes it; what OBJECT and WRITE hold is the
// simulator's own, and the same in either byte order.

const (
	recordSize = 312
	drrMagic   = 0x2F5bacbac

	drrBegin  = 0
	drrObject = 1
	drrWrite  = 3
	drrFree   = 4
	drrEnd    = 5
	drrSpill  = 7 // here: a path that goes

	drrEmbedded = 8
	drrRedact   = 10

	headerSub      = 1 // DMU_SUBSTREAM
	headerCompound = 2 // DMU_COMPOUNDSTREAM

	featureDedup      = 1 << 0
	featureSpill      = 1 << 2
	featureEmbed      = 1 << 16
	featureLZ4        = 1 << 17
	featureLarge      = 1 << 19
	featureResuming   = 1 << 20
	featureCompressed = 1 << 22
	featureRaw        = 1 << 24
	featureHolds      = 1 << 26

	flagClone       = 1 << 0
	flagFreeRecords = 1 << 2
	flagSpill       = 1 << 3

	typeZFS  = 2 // DMU_OST_ZFS
	typeZVOL = 3

	maxPayload  = 16 << 20
	streamBlock = 128 << 10
)

// A record is one DRR record and its payload.
type record struct {
	kind    uint32
	object  uint64 // OBJECT, FREEOBJECTS, WRITE, FREE
	offset  uint64 // WRITE, FREE
	length  uint64 // WRITE, FREE
	mtime   int64  // OBJECT: of a directory; no part of its contents, see head
	toguid  uint64
	begin   beginRecord
	payload []byte
	size    uint64 // of the payload, as decoded
}

type beginRecord struct {
	header   uint64 // headerSub or headerCompound
	features uint64
	creation uint64
	kind     uint32
	flags    uint32
	toguid   uint64
	fromguid uint64
	toname   string
	field    [256]byte // toname and what stands behind its NUL
}

func (b *beginRecord) encode(p []byte) {
	le := binary.LittleEndian
	le.PutUint64(p[0:], drrMagic)
	le.PutUint64(p[8:], b.header|b.features<<2)
	le.PutUint64(p[16:], b.creation)
	le.PutUint32(p[24:], b.kind)
	le.PutUint32(p[28:], b.flags)
	le.PutUint64(p[32:], b.toguid)
	le.PutUint64(p[40:], b.fromguid)
	copy(p[48:303], b.toname)
}

func (b *beginRecord) decode(p []byte, order binary.ByteOrder) {
	info := order.Uint64(p[8:])
	b.header, b.features = info&3, info>>2&(1<<56-1)
	b.creation, b.kind, b.flags = order.Uint64(p[16:]), order.Uint32(p[24:]), order.Uint32(p[28:])
	b.toguid, b.fromguid = order.Uint64(p[32:]), order.Uint64(p[40:])
	b.field = [256]byte(p[48:304])
	b.toname = b.nameFrom(0)
}

// nameFrom is the name field as a C string that begins at an offset, be it
// behind the NUL that ends the name.
func (b *beginRecord) nameFrom(at int) string {
	if at >= len(b.field) {
		return ""
	}
	name, _, ended := bytes.Cut(b.field[at:], []byte{0})
	if !ended {
		return string(name) + "\xff" // what follows in libzfs's memory is no name
	}
	return string(name)
}

var (
	errChecksum = errors.New("checksum mismatch")
	errRecord   = errors.New("invalid backup stream") // EINVAL of the kernel
)

func (r *record) encode(p []byte) {
	le := binary.LittleEndian
	clear(p[:recordSize])
	le.PutUint32(p[0:], r.kind)
	switch r.kind {
	case drrBegin:
		le.PutUint32(p[4:], uint32(len(r.payload)))
		r.begin.encode(p[8:])
	case drrEnd:
		le.PutUint64(p[40:], r.toguid)
	default:
		le.PutUint64(p[8:], r.object)
		r.encodePlace(p)
	}
}

// encodePlace writes where a record belongs, and how long its payload is where
// OpenZFS has that, so that who walks over its records can walk over ours.
func (r *record) encodePlace(p []byte) {
	le := binary.LittleEndian
	n := uint64(len(r.payload))
	switch r.kind {
	case drrObject: // drr_raw_bonuslen
		le.PutUint32(p[36:], uint32(n))
		le.PutUint64(p[40:], r.toguid)
		le.PutUint64(p[48:], uint64(r.mtime)) // drr_maxblkid
	case drrWrite: // drr_logical_size
		le.PutUint64(p[24:], r.offset)
		le.PutUint64(p[32:], n)
		le.PutUint64(p[40:], r.toguid)
	case drrSpill: // drr_length
		le.PutUint64(p[16:], n)
		le.PutUint64(p[24:], r.toguid)
	case drrFree:
		le.PutUint64(p[16:], r.offset)
		le.PutUint64(p[24:], r.length)
		le.PutUint64(p[32:], r.toguid)
	}
}

// decode reads the record without its payload, whose length is size.
func (r *record) decode(p []byte, order binary.ByteOrder) {
	r.kind = order.Uint32(p)
	r.size = payloadSize(r.kind, p, order)
	switch r.kind {
	case drrBegin:
		r.begin.decode(p[8:], order)
	case drrEnd:
		r.toguid = order.Uint64(p[40:])
	default:
		r.object = order.Uint64(p[8:])
		r.decodePlace(p, order)
	}
}

// payloadSize is the DRR_*_PAYLOAD_SIZE of sys/zfs_ioctl.h: the field
// drr_payloadlen counts in a DRR_BEGIN only.
func payloadSize(kind uint32, p []byte, order binary.ByteOrder) uint64 {
	switch kind {
	case drrBegin:
		return uint64(order.Uint32(p[4:]))
	case drrObject:
		if raw := order.Uint32(p[36:]); raw != 0 {
			return uint64(raw)
		}
		return roundUp8(order.Uint32(p[28:]))
	case drrWrite:
		if p[50] != 0 { // compressed
			return order.Uint64(p[96:])
		}
		return order.Uint64(p[32:])
	case drrSpill:
		if n := order.Uint64(p[40:]); n != 0 { // compressed
			return n
		}
		return order.Uint64(p[16:])
	case drrEmbedded:
		return roundUp8(order.Uint32(p[52:]))
	}
	return 0
}

func roundUp8(n uint32) uint64 { return (uint64(n) + 7) &^ 7 }

func (r *record) decodePlace(p []byte, order binary.ByteOrder) {
	switch r.kind {
	case drrObject:
		r.toguid, r.mtime = order.Uint64(p[40:]), int64(order.Uint64(p[48:]))
	case drrWrite:
		r.offset, r.length, r.toguid = order.Uint64(p[24:]), order.Uint64(p[32:]), order.Uint64(p[40:])
	case drrSpill:
		r.toguid = order.Uint64(p[24:])
	case drrFree:
		r.offset, r.length, r.toguid = order.Uint64(p[16:]), order.Uint64(p[24:]), order.Uint64(p[32:])
	}
}

// fletcher4 is the sum of OpenZFS (zfs_fletcher.c) over little-endian words.
type fletcher4 [4]uint64

func (f *fletcher4) add(p []byte) { f.addOrder(p, binary.LittleEndian) }

// addOrder adds words of either byte order.
func (f *fletcher4) addOrder(p []byte, order binary.ByteOrder) {
	if order == binary.ByteOrder(binary.BigEndian) {
		p = swapWords(p)
	}
	a, b, c, d := f[0], f[1], f[2], f[3]
	for len(p) >= 4 {
		a += uint64(binary.LittleEndian.Uint32(p))
		b += a
		c += b
		d += c
		p = p[4:]
	}
	if len(p) > 0 { // our payloads need not be whole words
		var last [4]byte
		copy(last[:], p)
		a += uint64(binary.LittleEndian.Uint32(last[:]))
		b += a
		c += b
		d += c
	}
	*f = fletcher4{a, b, c, d}
}

// swapWords turns the bytes of each word of four; the last may be incomplete.
func swapWords(p []byte) []byte {
	out := make([]byte, (len(p)+3)&^3)
	copy(out, p)
	for at := 0; at < len(out); at += 4 {
		slices.Reverse(out[at : at+4])
	}
	return out
}

func (f *fletcher4) put(p []byte) {
	for i, v := range f {
		binary.LittleEndian.PutUint64(p[8*i:], v)
	}
}

const sumAt = recordSize - 32

// A recordWriter writes one stream's records.
type recordWriter struct {
	w   io.Writer
	sum fletcher4
	buf [recordSize]byte
	n   uint64 // bytes written, or counted where w is nil
}

func (w *recordWriter) write(r *record) error {
	r.encode(w.buf[:])
	if r.kind == drrEnd {
		w.sum.put(w.buf[8:])
	}
	w.sum.add(w.buf[:sumAt])
	if r.kind != drrBegin {
		w.sum.put(w.buf[sumAt:])
	}
	w.sum.add(w.buf[sumAt:])
	w.sum.add(r.payload)
	w.n += uint64(recordSize + len(r.payload))
	if w.w == nil {
		return nil
	}
	if _, err := w.w.Write(w.buf[:]); err != nil {
		return err
	}
	_, err := w.w.Write(r.payload)
	return err
}
