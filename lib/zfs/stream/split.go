package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Splitter looks at all of a stream and takes a package apart. Each part that
// it makes is one plain substream of what was expected, in order. It is not
// for several goroutines.
type Splitter struct {
	expect Expect
	state  place
	part   int    // the number of the snapshot that is brought now
	record []byte // as much of a record, and of its payload if that is to be judged, as has come
	begin  Begin
	left   uint64 // bytes of payload before the next record
	order  binary.ByteOrder
}

// place is what may come next.
type place uint8

const (
	atPackage    place = iota // the first record of a package
	atPackageEnd              // the end of that
	atBegin                   // the first record of a part
	atPayload                 // what that brings
	inPart                    // records
	atClose                   // the end of the package
	atEnd                     // nothing
)

var errDisorder = errors.New("it holds records in the wrong order")

// Splitter returns what looks at a stream from its first byte on.
func (e Expect) Splitter() *Splitter {
	s := &Splitter{expect: e, state: atBegin}
	if len(e.To) > 1 {
		s.state = atPackage
	}
	return s
}

// Split takes the next piece of the stream, of any length. It returns what of
// it is to be passed on now, what is to be given to Split again, and whether
// the current part ends after pass and another one comes. What it returns is
// valid until the next call. An error refuses the stream; what was passed on
// before is then not to be taken for a whole one.
func (s *Splitter) Split(piece []byte) (pass, rest []byte, last bool, err error) {
	n := 0 // bytes of piece that pass
	for n < len(piece) {
		if s.left > 0 {
			step := min(s.left, uint64(len(piece)-n))
			s.left -= step
			n += int(step)
			continue
		}
		if whole := s.fits(piece[n:]); whole && s.state == inPart {
			ended, err := s.inside(piece[n : n+recordSize])
			if err != nil {
				return nil, nil, false, err
			}
			n += recordSize
			if ended {
				return piece[:n], piece[n:], s.close(), nil
			}
			continue
		}
		if n > 0 { // what is judged as a whole comes with the next call
			return piece[:n], piece[n:], false, nil
		}
		return s.collect(piece)
	}
	return piece, nil, false, nil
}

// fits reports whether piece holds a whole record, none of which came before.
func (s *Splitter) fits(piece []byte) bool { return len(s.record) == 0 && len(piece) >= recordSize }

// collect takes from piece what is missing of a record, and looks at it when
// it is whole.
func (s *Splitter) collect(piece []byte) (pass, rest []byte, last bool, err error) {
	if s.state == atEnd {
		return nil, nil, false, errors.New("it does not end where it should")
	}
	want := recordSize
	if s.state == atPayload {
		want += int(s.begin.Payload)
	}
	n := min(want-len(s.record), len(piece))
	s.record = append(s.record, piece[:n]...)
	if rest = piece[n:]; len(s.record) < want {
		return nil, rest, false, nil
	}
	pass, last, err = s.look()
	return pass, rest, last, err
}

// look looks at the record that was collected, and returns it if it is to be
// passed on.
func (s *Splitter) look() (pass []byte, last bool, err error) {
	whole := s.record
	s.record = s.record[:0]
	switch s.state {
	case atPackage:
		b, err := ParseBegin(whole)
		if err != nil {
			return nil, false, err
		}
		s.order, s.state = b.order, atPackageEnd
		return nil, false, s.expect.judgePackage(b)
	case atPackageEnd, atClose:
		if s.order.Uint32(whole) != recordEnd {
			return nil, false, errDisorder
		}
		s.state++ // to atBegin, or to atEnd
		return nil, false, nil
	case atBegin:
		return s.first(whole)
	case atPayload:
		s.state = inPart
		return whole, false, s.expect.judgePayload(whole[recordSize:])
	default:
		ended, err := s.inside(whole)
		if err != nil || !ended {
			return whole, false, err
		}
		return whole, s.close(), nil
	}
}

// first judges the first record of a part. It is kept until its payload is
// there, too.
func (s *Splitter) first(whole []byte) (pass []byte, last bool, err error) {
	if s.order != nil && s.order.Uint32(whole) == recordEnd {
		return nil, false, s.tooShort()
	}
	b, err := ParseBegin(whole)
	if err != nil {
		return nil, false, err
	}
	if err := s.expect.judge(b, s.part); err != nil {
		return nil, false, err
	}
	s.begin, s.order, s.state = b, b.order, inPart
	if b.Payload > 0 {
		s.record, s.state = whole, atPayload
		return nil, false, nil
	}
	return whole, false, nil
}

// inside looks at a record after the first of a part, and reports whether it
// is the last.
func (s *Splitter) inside(record []byte) (ended bool, err error) {
	switch s.order.Uint32(record) {
	case recordBegin:
		return false, errDisorder
	case recordEnd:
		if guid := s.order.Uint64(record[endGUIDAt:]); guid != uint64(s.begin.ToGUID) {
			return false, fmt.Errorf("it ends the snapshot with guid %d, not %v", guid, s.begin.ToGUID)
		}
		return true, nil
	}
	s.left, err = payloadOf(s.order, record)
	return false, err
}

// close ends a part, and reports whether another one comes.
func (s *Splitter) close() (more bool) {
	s.part++
	switch {
	case s.part < len(s.expect.To):
		s.state = atBegin
		return true
	case len(s.expect.To) > 1:
		s.state = atClose
	default:
		s.state = atEnd
	}
	return false
}

// End is called at the end of a stream that its sender calls good. An error
// refuses it: something is missing.
func (s *Splitter) End() error {
	switch {
	case s.state == atEnd:
		return nil
	case s.part == 0 && len(s.record) == 0 && s.state <= atBegin:
		return errors.New("it holds nothing")
	case s.part == len(s.expect.To):
		return errors.New("the end of its package is missing")
	case len(s.expect.To) > 1:
		return s.tooShort()
	}
	return errors.New("it ends before its last record")
}

func (s *Splitter) tooShort() error {
	return fmt.Errorf("it ends after %d of %d snapshots", s.part, len(s.expect.To))
}
