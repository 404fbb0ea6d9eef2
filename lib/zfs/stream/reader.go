package stream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Where DRR_END and the other records hold their checksums.
const (
	endSumAt = 8
	sumAt    = recordSize - 32
)

// MaxData is the most that Data returns at a time.
const MaxData = 128 << 10

// Reader reads one plain stream record by record. It checks the checksums of
// all records and payloads, the order of records and the end. It needs the same
// memory for every stream. It is not for several goroutines.
type Reader struct {
	in     *bufio.Reader
	begin  Begin
	record [recordSize]byte
	sum    checksum
	left   uint64 // bytes of payload before the next record
	lent   int    // bytes that Data returned last
}

var (
	errCut    = errors.New("it ends before its last record")
	errSum    = errors.New("its checksums are wrong")
	errBehind = errors.New("bytes follow its last record")
)

// NewReader reads the first record of a stream, and what that brings. It does
// not judge what the record says: see Begin.CheckContents.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 2*MaxData)}
	if _, err := io.ReadFull(r.in, r.record[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it holds nothing")
		}
		return nil, cut(err)
	}
	var err error
	if r.begin, err = ParseBegin(r.record[:]); err != nil {
		return nil, err
	}
	if r.begin.Payload > maxPayload && !r.begin.Package {
		return nil, fmt.Errorf("its first record brings %d bytes: at most %d", r.begin.Payload, maxPayload)
	}
	r.sum.add(r.record[:], r.begin.order)
	r.left = uint64(r.begin.Payload)
	return r, nil
}

// Begin is what the stream says of itself.
func (r *Reader) Begin() Begin { return r.begin }

// Next returns the next record. It passes over what Data did not return of the
// record before. It returns io.EOF after the last record of a whole stream, and
// then only: any other end is another error.
func (r *Reader) Next() (*Record, error) {
	for {
		data, err := r.Data()
		if err != nil {
			return nil, err
		}
		if data == nil {
			break
		}
	}
	if _, err := io.ReadFull(r.in, r.record[:]); err != nil {
		return nil, cut(err)
	}
	order, before := r.begin.order, r.sum
	if err := r.checkRecord(); err != nil {
		return nil, err
	}
	switch order.Uint32(r.record[:]) {
	case recordBegin:
		return nil, errDisorder
	case recordEnd:
		return nil, r.end(before)
	}
	var err error
	if r.left, err = payloadOf(order, r.record[:]); err != nil {
		return nil, err
	}
	rec := parseRecord(order, r.record[:])
	rec.Payload = r.left
	return rec, rec.checkSizes()
}

// checkRecord compares the checksum in a record as zfs receive does: one of
// zeros, which old senders write, is not looked at.
func (r *Reader) checkRecord() error {
	order := r.begin.order
	r.sum.add(r.record[:sumAt], order)
	have := sumIn(r.record[sumAt:], order)
	if have != (checksum{}) && have != r.sum {
		return errSum
	}
	r.sum.add(r.record[sumAt:], order)
	return nil
}

// end checks the last record, whose checksum covers all of the stream, and that
// nothing follows. It returns io.EOF if all is well.
func (r *Reader) end(before checksum) error {
	order := r.begin.order
	if sumIn(r.record[endSumAt:], order) != before {
		return errSum
	}
	if guid := order.Uint64(r.record[endGUIDAt:]); guid != uint64(r.begin.ToGUID) {
		return fmt.Errorf("it ends the snapshot with guid %d, not %v", guid, r.begin.ToGUID)
	}
	_, err := r.in.ReadByte()
	if err == nil {
		return errBehind
	}
	return err
}

// Data returns the next bytes of the payload of the record that Next returned,
// at most MaxData, and nil after the last. They are valid until the next call
// of Data or Next. All but the last piece of a payload have MaxData bytes.
func (r *Reader) Data() ([]byte, error) {
	if _, err := r.in.Discard(r.lent); err != nil { // never: they are in the buffer
		return nil, err
	}
	r.lent = 0
	if r.left == 0 {
		return nil, nil
	}
	data, err := r.in.Peek(int(min(r.left, MaxData)))
	if err != nil {
		return nil, cut(err)
	}
	r.lent = len(data)
	r.left -= uint64(len(data))
	r.sum.add(data, r.begin.order)
	return data, nil
}

// cut is the error of a read inside a stream.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}
