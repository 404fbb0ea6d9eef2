package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Writer writes one framed stream, a frame with each call of w.Write. It is
// not for several goroutines.
type Writer struct {
	w      io.Writer
	sum    Checksum
	buf    []byte
	seq    uint16
	crc    uint32
	bytes  uint64
	frames uint64
	state  state
	err    error
}

type state uint8

const (
	atStart state = iota // a header must come
	inData               // data or the trailer
	atEnd                // nothing
)

var errOrder = errors.New("frames in the wrong order")

// NewWriter makes a writer of one stream.
func NewWriter(w io.Writer, sum Checksum) *Writer { return &Writer{w: w, sum: sum} }

// Again makes w, at the end of its stream, write the next one. It keeps the
// memory that w has.
func (w *Writer) Again() { *w = Writer{w: w.w, sum: w.sum, buf: w.buf[:0]} }

// Header writes the header: see [MakeHeader] and [MakePackedHeader]. It must name the checksum that
// the writer was made with.
func (w *Writer) Header(json []byte) error {
	if w.state != atStart {
		return errOrder
	}
	if len(json) > MaxHeader {
		return fmt.Errorf("a header of %d bytes is too long (%d are allowed)", len(json), MaxHeader)
	}
	if sum, _, err := parseHeader(json); err != nil {
		return err
	} else if sum != w.sum {
		return fmt.Errorf("the header says checksum %v, not %v", sum, w.sum)
	}
	w.state = inData
	return w.text(TypeHeader, json)
}

// Data writes p in as many data frames as it needs.
func (w *Writer) Data(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), MaxData)
		start, err := w.begin(n)
		if err != nil {
			return err
		}
		w.buf = append(start, p[:n]...)
		w.crc = crc32.Update(w.crc, castagnoli, p[:n])
		w.buf = w.appendSum(w.buf)
		if err := w.write(w.buf); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// begin counts a data frame of n bytes and returns what it begins with.
func (w *Writer) begin(n int) ([]byte, error) {
	if w.state != inData {
		return nil, errOrder
	}
	p := prefix{typ: TypeData, length: uint32(n)}
	if w.sum == CRC32C {
		p.flags = flagSum
		p.length += sumSize
	}
	w.bytes += uint64(n)
	w.frames++
	return w.next(p), nil
}

// appendSum appends what a data frame ends in: the running checksum, if the
// stream has one.
func (w *Writer) appendSum(b []byte) []byte {
	if w.sum == CRC32C {
		b = binary.LittleEndian.AppendUint32(b, w.crc)
	}
	return b
}

// next gives a frame its number.
func (w *Writer) next(p prefix) []byte {
	p.seq = w.seq
	w.seq++
	return p.appendTo(w.buf[:0])
}

// Heartbeat writes a heartbeat: anywhere before the trailer, even before the
// header.
func (w *Writer) Heartbeat() error {
	if w.state == atEnd {
		return errOrder
	}
	w.buf = w.next(prefix{typ: TypeHeartbeat})
	return w.write(w.buf)
}

// Trailer ends the stream. The counts of bytes and frames are filled in; what
// is too long in Stderr is cut.
func (w *Writer) Trailer(t Trailer) error {
	if w.state != inData {
		return errOrder
	}
	t.Bytes, t.Frames = w.bytes, w.frames
	b, err := t.encode()
	if err != nil {
		return err
	}
	w.state = atEnd
	return w.text(TypeTrailer, b)
}

// Reset ends the stream where not even a trailer can be made.
func (w *Writer) Reset() error {
	if w.state == atEnd {
		return errOrder
	}
	w.state = atEnd
	w.buf = w.next(prefix{typ: TypeReset})
	return w.write(w.buf)
}

// text writes a frame that carries JSON, with its own checksum.
func (w *Writer) text(typ Type, json []byte) error {
	b := w.next(prefix{typ: typ, flags: flagSum, length: uint32(len(json) + sumSize)})
	b = append(b, json...)
	w.buf = binary.LittleEndian.AppendUint32(b, crc32.Checksum(json, castagnoli))
	return w.write(w.buf)
}

// write writes all of b. After an error the stream is broken for good.
func (w *Writer) write(b []byte) error {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
	return w.err
}
