package zfssim

import (
	"encoding/binary"
	"errors"
	"io"
)

// Records have the frame of OpenZFS's dmu_replay_record (sys/zfs_ioctl.h):
// 312 bytes, type and payload length first, the payload behind, and in every
// record but the first the running fletcher-4 sum of all before it. The first,
// DRR_BEGIN, is as OpenZFS writes it; what OBJECT and WRITE hold is the
// simulator's own.

const (
	recordSize = 312
	drrMagic   = 0x2F5bacbac

	drrBegin  = 0
	drrObject = 1
	drrWrite  = 3
	drrFree   = 4
	drrEnd    = 5
	drrSpill  = 7 // here: a path that goes

	headerSub      = 1 // DMU_SUBSTREAM
	headerCompound = 2 // DMU_COMPOUNDSTREAM

	featureSpill      = 1 << 2
	featureEmbed      = 1 << 16
	featureLZ4        = 1 << 17
	featureLarge      = 1 << 19
	featureResuming   = 1 << 20
	featureCompressed = 1 << 22
	featureRaw        = 1 << 24

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
	toguid  uint64
	begin   beginRecord
	payload []byte
	size    uint32 // of the payload, as decoded
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

func (b *beginRecord) decode(p []byte) error {
	le := binary.LittleEndian
	if le.Uint64(p) != drrMagic {
		return errBadMagic
	}
	info := le.Uint64(p[8:])
	b.header, b.features = info&3, info>>2
	b.creation, b.kind, b.flags = le.Uint64(p[16:]), le.Uint32(p[24:]), le.Uint32(p[28:])
	b.toguid, b.fromguid = le.Uint64(p[32:]), le.Uint64(p[40:])
	name := p[48:304]
	for i, c := range name {
		if c == 0 {
			b.toname = string(name[:i])
			return nil
		}
	}
	return errBadMagic
}

var (
	errBadMagic = errors.New("bad magic number")
	errChecksum = errors.New("checksum mismatch")
)

func (r *record) encode(p []byte) {
	le := binary.LittleEndian
	clear(p[:recordSize])
	le.PutUint32(p[0:], r.kind)
	le.PutUint32(p[4:], uint32(len(r.payload)))
	switch r.kind {
	case drrBegin:
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

func (r *record) decode(p []byte) error {
	if err := r.decodeHead(p); err != nil {
		return err
	}
	r.payload = make([]byte, r.size)
	return nil
}

// decodeHead reads the record without its payload, whose length is size.
func (r *record) decodeHead(p []byte) error {
	le := binary.LittleEndian
	r.kind, r.size = le.Uint32(p), le.Uint32(p[4:])
	if r.kind > drrSpill || r.size > maxPayload {
		return errBadMagic
	}
	switch r.kind {
	case drrBegin:
		return r.begin.decode(p[8:])
	case drrEnd:
		r.toguid = le.Uint64(p[40:])
	default:
		r.object = le.Uint64(p[8:])
		r.decodePlace(p)
	}
	return nil
}

func (r *record) decodePlace(p []byte) {
	le := binary.LittleEndian
	switch r.kind {
	case drrObject:
		r.toguid = le.Uint64(p[40:])
	case drrWrite:
		r.offset, r.length, r.toguid = le.Uint64(p[24:]), le.Uint64(p[32:]), le.Uint64(p[40:])
	case drrSpill:
		r.toguid = le.Uint64(p[24:])
	case drrFree:
		r.offset, r.length, r.toguid = le.Uint64(p[16:]), le.Uint64(p[24:]), le.Uint64(p[32:])
	}
}

// fletcher4 is the sum of OpenZFS (zfs_fletcher.c) over little-endian words.
type fletcher4 [4]uint64

func (f *fletcher4) add(p []byte) {
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

// A recordReader reads and checks one stream's records. raw holds the record
// last read as it came.
type recordReader struct {
	r   io.Reader
	sum fletcher4
	raw [recordSize]byte
}

func (r *recordReader) next() (*record, error) {
	if _, err := io.ReadFull(r.r, r.raw[:]); err != nil {
		return nil, err
	}
	var rec record
	if err := rec.decode(r.raw[:]); err != nil {
		if r.sum != (fletcher4{}) {
			err = errChecksum
		}
		return nil, err
	}
	switch {
	case rec.kind == drrBegin:
		r.sum = fletcher4{}
	case rec.kind == drrEnd && r.sum == (fletcher4{}):
		return &rec, nil // the end of a package has no sum
	}
	r.sum.add(r.raw[:sumAt])
	if rec.kind != drrBegin {
		var want [32]byte
		r.sum.put(want[:])
		if string(want[:]) != string(r.raw[sumAt:]) {
			return nil, errChecksum
		}
	}
	r.sum.add(r.raw[sumAt:])
	if _, err := io.ReadFull(r.r, rec.payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	r.sum.add(rec.payload)
	if rec.kind == drrEnd {
		r.sum = fletcher4{} // the next stream counts for itself
	}
	return &rec, nil
}
