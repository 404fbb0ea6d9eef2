package seed

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

const (
	maxLine = 8 << 20  // of the list, in bytes
	maxPart = 64 << 10 // of an Entry or an End
	maxID   = 64
)

// Reader reads a file, part after part. It is not for several goroutines.
type Reader struct {
	tee  tee
	r    *frame.Reader
	head Head
	at   int // streams that were announced
	err  error
}

// NewReader makes a reader of a file, which it reads to its end and not further.
func NewReader(r io.Reader) *Reader {
	f := &Reader{tee: tee{from: r}}
	f.r = frame.NewReader(&f.tee)
	f.r.ReadAhead()
	return f
}

// List reads the list. Lines are those after the first; they are valid until the
// next one.
func (f *Reader) List(line func([]byte) error) (Head, error) {
	data := &data{r: f.r}
	in := bufio.NewScanner(data)
	in.Buffer(nil, maxLine)
	lines := 0
	for in.Scan() {
		if lines == 0 {
			if err := f.readHead(in.Bytes()); err != nil {
				return f.head, f.fail(err)
			}
		} else if err := line(in.Bytes()); err != nil {
			return f.head, f.fail(err)
		}
		lines++
	}
	switch err := in.Err(); {
	case err != nil && lines == 0 && notOurs(err), err == nil && lines == 0:
		return f.head, f.fail(errors.New("this is no file of zreplctl export"))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return f.head, f.fail(errors.New("the file is cut in its list of datasets"))
	case err != nil:
		return f.head, f.fail(fmt.Errorf("cannot read the list of datasets: %w", err))
	case lines != 1+f.head.Datasets:
		return f.head, f.fail(fmt.Errorf("the list says that it has %d datasets, and has %d", f.head.Datasets, lines-1))
	}
	return f.head, nil
}

// notOurs reports whether the very beginning is that of something else.
func notOurs(err error) bool {
	return errors.As(err, new(*frame.FormatError)) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, bufio.ErrTooLong)
}

func (f *Reader) readHead(line []byte) error {
	if err := json.Unmarshal(line, &f.head); err != nil || f.head.Version == 0 {
		return errors.New("this is no file of zreplctl export, but another framed stream")
	}
	switch {
	case f.head.Version != Version:
		return fmt.Errorf("the file has version %d of zseed(5), and this program knows only version %d", f.head.Version, Version)
	case f.head.ID == "" || len(f.head.ID) > maxID || f.head.Datasets < 0:
		return errors.New("the first line of the file's list cannot be")
	}
	return nil
}

// Next reads what stands before a stream; nil, if it is the end of the file. What
// was announced before must have been passed.
func (f *Reader) Next() (*Entry, error) {
	if f.err != nil {
		return nil, f.err
	}
	f.r.Again()
	text, err := io.ReadAll(io.LimitReader(&data{r: f.r}, maxPart+1))
	if err != nil {
		return nil, f.fail(f.cut(err))
	}
	var p part
	if len(text) > maxPart || json.Unmarshal(text, &p) != nil || p.ID == "" {
		return nil, f.fail(fmt.Errorf("what follows stream %d of the file is not what must stand there", f.at))
	}
	switch {
	case p.ID != f.head.ID:
		return nil, f.fail(fmt.Errorf("what follows stream %d is of another file", f.at))
	case p.Ends && p.Streams == f.at && f.at == f.head.Datasets:
		f.err = io.EOF
		return nil, nil
	case p.Ends:
		return nil, f.fail(fmt.Errorf("the file ends after %d of %d streams", f.at, f.head.Datasets))
	case p.Stream != f.at+1 || p.Stream > f.head.Datasets:
		return nil, f.fail(fmt.Errorf("stream %d of the file stands where stream %d must", p.Stream, f.at+1))
	}
	f.at++
	return &p.Entry, nil
}

// Pass reads the stream that was announced to its end, and writes it to to, as it
// is in the file, as long as that takes it. A *DamageError says that only this
// stream is damaged.
func (f *Reader) Pass(to io.Writer) error {
	if f.err != nil {
		return f.err
	}
	f.r.Again()
	f.r.Lax()
	f.tee.to = to
	defer func() { f.tee.to = nil }()
	for {
		one, err := f.r.Next()
		if err != nil {
			return f.fail(f.cut(err))
		}
		if one.Type == frame.TypeTrailer {
			break
		}
	}
	if damage := f.r.Damage(); damage != nil {
		return &DamageError{Stream: f.at, Of: f.head.Datasets, Err: damage}
	}
	return nil
}

// DamageError says that the data of one stream was damaged.
type DamageError struct {
	Stream, Of int
	Err        error
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("the file is damaged in stream %d of %d: %v", e.Stream, e.Of, e.Err)
}

// cut says in words of a file what is wrong with it.
func (f *Reader) cut(err error) error {
	var format *frame.FormatError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("the file is cut: it ends with stream %d of %d", f.at, f.head.Datasets)
	case errors.As(err, &format):
		return fmt.Errorf("the file is damaged from stream %d of %d on: %s", f.at, f.head.Datasets, format.Reason)
	}
	return err
}

// fail notes what ends the reading for good.
func (f *Reader) fail(err error) error {
	f.err = err
	return err
}

// data is the data of a framed stream as an io.Reader.
type data struct {
	r    *frame.Reader
	rest []byte
	end  error
}

func (d *data) Read(b []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.end != nil {
			return 0, d.end
		}
		one, err := d.r.Next()
		switch {
		case err == io.EOF:
			d.end = io.ErrUnexpectedEOF // no stream at all
		case err != nil:
			d.end = err
		case one.Type == frame.TypeData:
			d.rest = one.Payload
		case one.Type == frame.TypeTrailer && one.Trailer.Status != frame.StatusOK:
			d.end = errors.New("it was not written whole")
		case one.Type == frame.TypeTrailer:
			d.end = io.EOF
		}
	}
	n := copy(b, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// tee passes on what it reads until that fails, and reads on.
type tee struct {
	from io.Reader
	to   io.Writer
}

func (t *tee) Read(b []byte) (int, error) {
	n, err := t.from.Read(b)
	if n > 0 && t.to != nil {
		if _, failed := t.to.Write(b[:n]); failed != nil {
			t.to = nil
		}
	}
	return n, err
}
