package zfssim

import (
	"encoding/binary"
	"errors"
	"io"
)

// A recordReader reads and checks one stream's records as the kernel does. raw
// holds the record last read as it came. It takes the byte order from each
// DRR_BEGIN.
type recordReader struct {
	r     io.Reader
	order binary.ByteOrder
	sum   fletcher4
	raw   [recordSize]byte
	ahead *record // read already
}

// head reads the fixed part of a record and nothing else.
func (r *recordReader) head() error {
	_, err := io.ReadFull(r.r, r.raw[:])
	return err
}

// begin reads a record that ought to be a DRR_BEGIN, without its payload, and
// starts the sum anew.
func (r *recordReader) begin() (*record, error) {
	if err := r.head(); err != nil {
		return nil, err
	}
	r.order = binary.LittleEndian
	if binary.BigEndian.Uint64(r.raw[8:]) == drrMagic {
		r.order = binary.BigEndian
	}
	var rec record
	rec.decode(r.raw[:], r.order)
	if binary.BigEndian.Uint32(r.raw[:]) == drrEnd {
		rec.kind = drrEnd // of a package of the other byte order
	}
	r.sum = fletcher4{}
	r.sum.addOrder(r.raw[:], r.order)
	return &rec, nil
}

// magic reports whether the record last read is marked as a DRR_BEGIN.
func (r *recordReader) magic() bool { return r.order.Uint64(r.raw[8:]) == drrMagic }

// payload reads what belongs to a record.
func (r *recordReader) payload(rec *record) error {
	if rec.size > maxPayload {
		return errRecord
	}
	rec.payload = make([]byte, rec.size)
	if _, err := io.ReadFull(r.r, rec.payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	r.sum.addOrder(rec.payload, r.order)
	return nil
}

// next reads a record behind the DRR_BEGIN. A sum of zero in it is not looked
// at; that in a DRR_END always is (receive_read_record in dmu_recv.c).
func (r *recordReader) next() (*record, error) {
	if rec := r.ahead; rec != nil {
		r.ahead = nil
		return rec, nil
	}
	if err := r.head(); err != nil {
		return nil, err
	}
	var rec record
	rec.decode(r.raw[:], r.order)
	before := r.sum
	r.sum.addOrder(r.raw[:sumAt], r.order)
	if have := r.sumIn(sumAt); have != (fletcher4{}) && have != r.sum {
		return nil, errChecksum
	}
	r.sum.addOrder(r.raw[sumAt:], r.order)
	switch {
	case rec.kind == drrEnd && r.sumIn(8) != before:
		return nil, errChecksum
	case rec.kind == drrBegin, rec.kind == 6, rec.kind > drrRedact:
		return nil, errRecord
	}
	return &rec, r.payload(&rec)
}

// sumIn is the sum that stands in the record last read.
func (r *recordReader) sumIn(at int) (f fletcher4) {
	for i := range f {
		f[i] = r.order.Uint64(r.raw[at+8*i:])
	}
	return f
}

// skip reads to the end of a stream that is not wanted, as recv_skip does:
// without looking at sums. It reports a record of an unknown type.
func (r *recordReader) skip() error {
	if rec := r.ahead; rec != nil && rec.kind == drrEnd {
		r.ahead = nil
		return nil
	}
	for {
		if err := r.head(); err != nil {
			return err
		}
		var rec record
		rec.decode(r.raw[:], r.order)
		switch {
		case rec.kind == drrEnd:
			return nil
		case rec.kind > drrRedact-1:
			return errRecord
		}
		if _, err := io.CopyN(io.Discard, r.r, int64(rec.size)); err != nil {
			return err
		}
	}
}
