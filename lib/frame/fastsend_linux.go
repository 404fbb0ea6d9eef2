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
	whole  *pipe // where a frame is put together
	dup    *pipe // nil without checksums
	piece  []byte
	turn   turn
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
	if f.whole, err = newPipe(); err != nil {
		return nil
	}
	if s.in.kind != pipeKind {
		if f.staged, err = newPipe(); err != nil {
			f.close()
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
		f.whole.close()
		f.dup.close()
	}
}

// move sends what is at hand, at most that many bytes. It is called when the
// input has something to report. How many bytes are there is 0 if it is not
// known.
func (f *fastSender) move(most, there int) (int, error) {
	if f.staged != nil {
		return f.moveStaged(most)
	}
	if there == 0 {
		there = f.inPipe()
	}
	if there == 0 { // the end, as a read will find
		return f.copy(most)
	}
	return f.send(f.in.fd, min(there, most))
}

// atHand is how many bytes of a pipe need not be waited for.
func (f *fastSender) atHand() int {
	if f == nil || f.staged != nil {
		return 0
	}
	f.turn.yield()
	return f.inPipe()
}

// inPipe is how many bytes are in the input. Asking takes the pipe's lock, so
// it may be long in coming while its writer copies.
func (f *fastSender) inPipe() int {
	n, err := unix.IoctlGetInt(f.in.fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
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
	n = f.fitting(n)
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
	err = f.together(start, from, n)
	f.inFrame = err != nil
	return n, err
}

// fitting cuts a frame so that it fits our pipe with its beginning and end,
// which take a page each. Where that pipe is tiny it does not matter.
func (f *fastSender) fitting(n int) int {
	if ends := 2 * unix.Getpagesize(); f.whole.size > 8*ends {
		return min(n, f.whole.size-ends)
	}
	return n
}

// together puts a frame together in our pipe, as far as it fits, and then
// moves it on, so that the reader is woken once for it and not for each part.
func (f *fastSender) together(start []byte, from, n int) error {
	if _, err := unix.Write(f.whole.w, start); err != nil { // it is empty
		return fmt.Errorf("cannot frame: %w", err)
	}
	moved, err := splice(from, f.whole.w, n)
	if err != nil && !again(err) {
		return fmt.Errorf("cannot read: %w", err)
	}
	in := len(start) + moved
	var sum []byte
	if f.dup != nil {
		sum = f.w.appendSum(f.w.buf[:0])
	}
	if moved == n && len(sum) > 0 {
		if k, err := unix.Write(f.whole.w, sum); err == nil {
			in, sum = in+k, nil
		}
	}
	if err := f.pour(f.whole.r, in); err != nil {
		return err
	}
	if err := f.pour(from, n-moved); err != nil || len(sum) == 0 {
		return err
	}
	return f.w.write(sum)
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
