package frame

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// Frame is one frame that was read and checked.
type Frame struct {
	Type    Type
	Payload []byte   // JSON or data; valid until the next call of Next
	Trailer *Trailer // of a trailer
}

// Reader reads one framed stream, from its first byte to the last of its
// trailer and not further. It is not for several goroutines.
//
// It holds no more than one frame in memory, and makes room for a frame only
// when its length was checked.
type Reader struct {
	r      io.Reader
	sum    Checksum
	seq    uint16
	crc    uint32
	bytes  uint64
	frames uint64
	state  state
	begun  bool
	pre    [prefixSize]byte
	have   int // bytes of pre that were read with the frame before
	ahead  bool
	lax    bool
	packs  bool   // the data may be compressed
	pack   string // how it is
	damage error  // of the data, if lax
	buf    []byte
	err    error
}

// NewReader makes a reader of one stream.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Again makes r, at the end of its stream, read the next one from the same
// input. It keeps the memory that r has.
func (r *Reader) Again() { *r = Reader{r: r.r, ahead: r.ahead, buf: r.buf} }

// ReadAhead lets r ask for a frame together with the beginning of the next
// one, where there must be one: fewer reads, of which one may return less than
// it was asked for. Still nothing is read behind the stream, nor waited for.
func (r *Reader) ReadAhead() { r.ahead = true }

// Lax lets r read on to the end of this stream if its data does not match its
// checksums: where the next one begins is known all the same.
func (r *Reader) Lax() { r.lax = true }

// Damage says where the data of a stream that a lax reader has read did not match
// its checksum first; nil: nowhere.
func (r *Reader) Damage() error { return r.damage }

// Next reads one frame. Of a stream with checksums, data has been verified.
// At the end of the input before the first byte the error is io.EOF, and
// later it is ErrCut; behind the trailer nothing is read and the error is
// io.EOF. Other errors are *FormatError, ErrReset, or those of the input. A
// trailer that reports a failure is no error.
func (r *Reader) Next() (Frame, error) {
	if r.err != nil {
		return Frame{}, r.err
	}
	f, err := r.next()
	switch {
	case err != nil:
		r.err = err
		return Frame{}, err
	case f.Type == TypeTrailer:
		r.err = io.EOF
	}
	return f, nil
}

func (r *Reader) next() (Frame, error) {
	if r.have < prefixSize {
		if _, err := io.ReadFull(r.r, r.pre[r.have:]); err != nil {
			return Frame{}, r.cut(err)
		}
	}
	r.begun, r.have = true, 0
	p, err := r.accept(r.pre[:])
	if err != nil {
		return Frame{}, err
	}
	want := int(p.length)
	if r.ahead && (p.typ == TypeHeader || p.typ == TypeData) {
		want += prefixSize
	}
	if cap(r.buf) < want {
		r.buf = make([]byte, want)
	}
	n, err := io.ReadAtLeast(r.r, r.buf[:want], int(p.length))
	if err != nil && p.length > 0 {
		return Frame{}, r.cut(err)
	}
	body := r.buf[:p.length]
	r.have = copy(r.pre[:], r.buf[p.length:max(n, int(p.length))])
	return r.finish(p, body)
}

// cut makes one error of an end before the trailer, unless it is an end
// before the stream.
func (r *Reader) cut(err error) error {
	switch {
	case err == io.EOF && !r.begun:
		return io.EOF
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCut
	}
	return err
}

// accept checks the beginning of a frame, by itself and at its place.
func (r *Reader) accept(b []byte) (prefix, error) {
	p, err := parsePrefix(b)
	if err != nil && r.state == atStart {
		return p, corrupt("this is not a framed stream of zsend-frame: %v", err)
	}
	if err != nil {
		return p, err
	}
	if p.seq != r.seq {
		return p, corrupt("frame %d of the stream is missing (frame %d came)", r.seq, p.seq)
	}
	r.seq++
	switch p.typ {
	case TypeReset:
		return p, ErrReset
	case TypeHeader:
		if r.state != atStart {
			return p, corrupt("a second header")
		}
	case TypeData, TypeTrailer:
		if r.state != inData {
			return p, corrupt("a %v frame before the header", p.typ)
		}
	}
	if p.typ == TypeData {
		if summed := p.flags&flagSum != 0; summed != (r.sum == CRC32C) {
			return p, corrupt("a data frame whose checksum is not as the header says (%v)", r.sum)
		}
		r.frames++
	}
	return p, nil
}

// finish checks what came in a frame.
func (r *Reader) finish(p prefix, body []byte) (Frame, error) {
	payload, sum := body[:p.payload()], body[p.payload():]
	f := Frame{Type: p.typ, Payload: payload}
	switch p.typ {
	case TypeData:
		return f, r.count(payload, sum)
	case TypeHeader, TypeTrailer:
		if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(sum) {
			return f, corrupt("the %v does not match its checksum", p.typ)
		}
	}
	var err error
	switch p.typ {
	case TypeHeader:
		r.state = inData
		r.sum, r.pack, err = parseHeader(payload)
		if err == nil && r.pack != "" && !r.packs {
			err = errPacked
		}
	case TypeTrailer:
		f.Trailer, err = r.trailer(payload)
	}
	return f, err
}

// count takes a frame's data into the counts, and checks it.
func (r *Reader) count(payload, sum []byte) error {
	r.bytes += uint64(len(payload))
	if r.sum != CRC32C {
		return nil
	}
	r.crc = crc32.Update(r.crc, castagnoli, payload)
	return r.verify(sum)
}

// verify holds the running checksum against a frame's.
func (r *Reader) verify(sum []byte) error {
	if r.crc == binary.LittleEndian.Uint32(sum) {
		return nil
	}
	err := corrupt("the data does not match its checksum, before byte %d", r.bytes)
	if !r.lax {
		return err
	}
	if r.damage == nil {
		r.damage = err
	}
	return nil
}

// trailer reads the trailer, and holds its counts against what came.
func (r *Reader) trailer(b []byte) (*Trailer, error) {
	t, err := parseTrailer(b)
	if err != nil {
		return nil, err
	}
	if t.Bytes != r.bytes || t.Frames != r.frames {
		return nil, corrupt("%d bytes in %d frames came, %d in %d were sent", r.bytes, r.frames, t.Bytes, t.Frames)
	}
	r.state = atEnd
	return &t, nil
}
