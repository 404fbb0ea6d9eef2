package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// MaxRecord is the longest record that a program reads, in bytes.
const MaxRecord = 1 << 20

// Records reads records that end with a newline, or with a NUL.
type Records struct {
	scan *bufio.Scanner
	end  byte
	n    int
	cut  bool
}

// NewRecords reads records from r; with nul they end with a NUL byte and may
// hold line breaks. The last one may lack its end.
func NewRecords(r io.Reader, nul bool) *Records {
	rs := &Records{scan: bufio.NewScanner(r), end: End(nul)}
	rs.scan.Buffer(make([]byte, 64<<10), MaxRecord+1)
	rs.scan.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, rs.end); i >= 0 {
			return i + 1, data[:i], nil
		}
		if atEOF && len(data) > 0 {
			rs.cut = true
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	return rs
}

// End is the byte that ends a record.
func End(nul bool) byte {
	if nul {
		return 0
	}
	return '\n'
}

// Next steps to the next record and reports whether there is one.
func (r *Records) Next() bool {
	ok := r.scan.Scan()
	if ok {
		r.n++
	}
	return ok
}

// Record is the record without its end. It is valid until the next Next.
func (r *Records) Record() []byte { return r.scan.Bytes() }

// Cut reports whether the last record lacked its end, as where the program
// that wrote it was killed.
func (r *Records) Cut() bool { return r.cut }

// Number is the record's place in the input, from 1.
func (r *Records) Number() int { return r.n }

// Err is what ended the reading, nil at the end of the input.
func (r *Records) Err() error {
	if err := r.scan.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("record %d is longer than %d bytes", r.n+1, MaxRecord)
	} else if err != nil {
		return fmt.Errorf("cannot read record %d: %w", r.n+1, err)
	}
	return nil
}

// Cut parts a record at its first tab. Rest is what follows the tab; more
// tells an empty rest from none.
func Cut(record []byte) (name, rest []byte, more bool) {
	return bytes.Cut(record, []byte{'\t'})
}

// Closed reports whether err says that the reader of our output has gone,
// which is no error of ours: a filter then ends quietly, as SIGPIPE would end
// it.
func Closed(err error) bool { return errors.Is(err, syscall.EPIPE) }

// Quiet is what a program returns for an error in writing its output: nothing
// is printed when the reader has gone, and the status is that of SIGPIPE.
func Quiet(err error) error {
	if Closed(err) {
		return WithStatus(128+int(syscall.SIGPIPE), nil)
	}
	return err
}
