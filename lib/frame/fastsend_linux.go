package frame

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// fastSender moves data by splice(2), without copying it to us. For a
// checksum it reads a duplicate that tee(2) makes.
type fastSender struct {
	*sender
	staged *pipe // what was taken from an input that is no pipe; nil: not needed
	dup    *pipe // nil without checksums
	piece  []byte
}

// newFastSender is nil where it cannot work or would not be sound: the pages
// of a regular file can change between their check and their use, so that
// one is read.
func newFastSender(s *sender) *fastSender {
	if s.in.kind == otherKind || s.out.kind == otherKind || s.Checksum == CRC32C && s.in.kind == fileKind {
		return nil
	}
	f := &fastSender{sender: s}
	var err error
	if s.in.kind != pipeKind {
		if f.staged, err = newPipe(); err != nil {
			return nil
		}
	}
	if s.Checksum == CRC32C {
		if f.dup, err = newPipe(); err != nil {
			f.close()
			return nil
		}
		f.piece = make([]byte, readPiece)
	}
	return f
}

func (f *fastSender) close() {
	if f != nil {
		f.staged.close()
		f.dup.close()
	}
}

// move sends what is at hand, at most that many bytes. It is called when the
// input has something to report.
func (f *fastSender) move(most int) (int, error) {
	if f.staged != nil {
		return f.moveStaged(most)
	}
	n, err := unix.IoctlGetInt(f.in.fd, unix.TIOCINQ)
	switch {
	case err != nil:
		return 0, errNotHere
	case n == 0: // the end, as a read will find
		return f.copy(most)
	}
	return f.send(f.in.fd, min(n, most))
}

// moveStaged sends what is at hand in an input that is no pipe.
func (f *fastSender) moveStaged(most int) (int, error) {
	got, err := splice(f.in.fd, f.staged.w, most)
	switch {
	case again(err):
		return 0, nil
	case err == unix.EINVAL:
		return 0, errNotHere
	case err != nil:
		return 0, &inputEnd{fmt.Errorf("cannot read: %w", err)}
	case got == 0:
		return 0, &inputEnd{}
	}
	sent := 0
	for sent < got {
		n, err := f.send(f.staged.r, got-sent)
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// send sends one frame of up to n bytes, which are at hand in a pipe.
func (f *fastSender) send(from, n int) (int, error) {
	var err error
	if f.dup != nil {
		if n, err = f.sum(from, n); err != nil {
			return 0, err
		}
	}
	start, err := f.w.begin(n)
	if err != nil {
		return 0, err
	}
	f.inFrame = true
	if err := f.w.write(start); err != nil {
		return 0, err
	}
	if err := f.pour(from, n); err != nil {
		return 0, err
	}
	if f.dup != nil {
		if err := f.w.write(f.w.appendSum(f.w.buf[:0])); err != nil {
			return 0, err
		}
	}
	f.inFrame = false
	return n, nil
}

// sum takes up to n bytes of a pipe into the checksum, and leaves them there.
// It returns how many, which is at least one.
func (f *fastSender) sum(from, n int) (int, error) {
	n, err := tee(from, f.dup.w, n)
	if err != nil {
		return 0, fmt.Errorf("cannot read: %w", err)
	}
	f.w.crc, err = f.dup.sum(f.w.crc, n, f.piece)
	return n, err
}

// pour moves n bytes, which are at hand, to the output.
func (f *fastSender) pour(from, n int) error {
	for n > 0 {
		moved, err := splice(from, f.out.fd, n)
		switch {
		case again(err):
			if err := f.out.awaitOut(f.watch, f.watch.cancelled); err != nil {
				return err
			}
		case err == unix.EINVAL: // such as a file that is appended to
			return f.ladle(from, n)
		case err != nil:
			return fmt.Errorf("cannot write: %w", err)
		case moved == 0:
			return fmt.Errorf("cannot read: %w: what was there was taken by another reader", io.ErrUnexpectedEOF)
		}
		n -= moved
	}
	return nil
}

// ladle moves n bytes, which are at hand, by copying.
func (f *fastSender) ladle(from, n int) error {
	if f.buf == nil {
		f.buf = make([]byte, copyFrame)
	}
	for n > 0 {
		got, err := unix.Read(from, f.buf[:min(n, len(f.buf))])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("cannot read: %w", err)
		case got == 0:
			return fmt.Errorf("cannot read: %w", io.ErrUnexpectedEOF)
		}
		if err := f.w.write(f.buf[:got]); err != nil {
			return err
		}
		n -= got
	}
	return nil
}
