package frame

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"golang.org/x/sys/unix"
)

// errNotHere says that data cannot be moved between these descriptors other
// than by copying.
var errNotHere = errors.New("not here")

// spliceFlags: a call that would wait returns EAGAIN instead, so that waiting
// is done by poll, where it can be ended.
const spliceFlags = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK

// readPiece is how much of a duplicate is read at once to be summed: what
// stays in a processor's own cache.
const readPiece = 128 << 10

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

// fastReceiver moves data by splice(2). Data with checksums waits in a pipe of
// ours until a duplicate of it was read and checked.
type fastReceiver struct {
	*receiver
	staged *pipe
	dup    *pipe
	piece  []byte
	sumBuf [sumSize]byte
}

// newFastReceiver is nil where it cannot work or would not be sound.
func newFastReceiver(r *receiver) *fastReceiver {
	if r.in.kind == otherKind || r.out == nil || r.out.kind == otherKind {
		return nil
	}
	return &fastReceiver{receiver: r}
}

func (f *fastReceiver) close() {
	if f != nil {
		f.staged.close()
		f.dup.close()
	}
}

// move passes one data frame on. It returns errNotHere only as long as
// nothing of the frame was read.
func (f *fastReceiver) move(p prefix) error {
	if f.r.sum == None {
		return f.unchecked(p.payload())
	}
	if f.in.kind == fileKind { // its pages could change between check and use
		return errNotHere
	}
	return f.checked(p)
}

// unchecked moves n bytes from the input to the output.
func (f *fastReceiver) unchecked(n int) error {
	if f.in.kind != pipeKind && f.out.kind != pipeKind {
		return f.viaPipe(n)
	}
	for left := n; left > 0; {
		moved, err := splice(f.in.fd, f.out.fd, left)
		switch {
		case again(err):
			err = f.awaitBoth()
		case err == unix.EINVAL:
			return f.spill(n, left)
		case err != nil:
			err = fmt.Errorf("cannot move data: %w", err)
		case moved == 0:
			err = ErrCut
		}
		if err != nil {
			return err
		}
		left -= moved
		f.Moved.Add(uint64(moved))
	}
	f.r.bytes += uint64(n)
	return nil
}

// awaitBoth waits until there is input and room for it.
func (f *fastReceiver) awaitBoth() error {
	if err := f.awaitInput(); err != nil {
		return err
	}
	return f.out.awaitOut(f.watch, f.consumerGone)
}

// viaPipe moves n bytes between two descriptors that are no pipes.
func (f *fastReceiver) viaPipe(n int) error {
	if err := f.makeStage(); err != nil {
		return err
	}
	for left := n; left > 0; {
		if err := f.awaitInput(); err != nil {
			return err
		}
		got, err := splice(f.in.fd, f.staged.w, left)
		switch {
		case again(err):
			continue
		case err == unix.EINVAL:
			return f.spill(n, left)
		case err != nil:
			return fmt.Errorf("cannot read: %w", err)
		case got == 0:
			return ErrCut
		}
		if err := f.pour(got); err != nil {
			return err
		}
		left -= got
	}
	f.r.bytes += uint64(n)
	return nil
}

// makeStage makes the pipe that data waits in.
func (f *fastReceiver) makeStage() (err error) {
	if f.staged == nil {
		f.staged, err = newPipe()
	}
	return err
}

// pour moves n bytes, which wait in our pipe, to the output.
func (f *fastReceiver) pour(n int) error {
	for n > 0 {
		moved, err := splice(f.staged.r, f.out.fd, n)
		switch {
		case again(err):
			if err := f.out.awaitOut(f.watch, f.consumerGone); err != nil {
				return err
			}
		case err == unix.EINVAL: // such as a file that is appended to
			b := f.room(n)
			if err := f.staged.read(b); err != nil {
				return err
			}
			return f.pass(b)
		case err != nil:
			return fmt.Errorf("cannot write: %w", err)
		}
		n -= moved
		f.Moved.Add(uint64(moved))
	}
	return nil
}

// room is a buffer of n bytes.
func (f *fastReceiver) room(n int) []byte {
	if cap(f.buf) < n {
		f.buf = make([]byte, MaxData+sumSize)
	}
	return f.buf[:n]
}

// spill copies the rest of a frame of n bytes that carries no checksum.
func (f *fastReceiver) spill(n, left int) error {
	if left == n {
		// Nothing was moved yet: from here on everything is copied.
		f.fast = nil
		defer f.close()
	}
	for rest := left; rest > 0; {
		b := f.room(min(rest, copyFrame))
		if _, err := io.ReadFull(f.r.r, b); err != nil {
			return f.r.cut(err)
		}
		if err := f.pass(b); err != nil {
			return err
		}
		rest -= len(b)
	}
	f.r.bytes += uint64(n)
	return nil
}

// checked takes one frame into our pipe, checks it, and passes it on.
func (f *fastReceiver) checked(p prefix) error {
	n := p.payload()
	if f.dup == nil {
		if err := f.makeStage(); err != nil {
			return errNotHere
		}
		var err error
		if f.dup, err = newPipe(); err != nil {
			return errNotHere
		}
		f.piece = make([]byte, readPiece)
	}
	if n > min(f.staged.size, f.dup.size) {
		return f.buffered(p, 0)
	}
	for staged, ready := 0, false; staged < n; {
		got, err := splice(f.in.fd, f.staged.w, n-staged)
		switch {
		case again(err) && ready: // there is input, so our pipe is full: it counts slots
			return f.buffered(p, staged)
		case again(err):
			if err := f.awaitInput(); err != nil {
				return err
			}
		case err == unix.EINVAL && staged == 0:
			return errNotHere
		case err != nil:
			return fmt.Errorf("cannot read: %w", err)
		case got == 0:
			return ErrCut
		}
		ready = again(err)
		staged += got
	}
	return f.release(n)
}

// release checks the n bytes in our pipe against the checksum that comes now,
// and passes them on.
func (f *fastReceiver) release(n int) error {
	sum := f.sumBuf[:]
	if _, err := io.ReadFull(f.r.r, sum); err != nil {
		return f.r.cut(err)
	}
	got, err := tee(f.staged.r, f.dup.w, n)
	switch {
	case err != nil:
		return fmt.Errorf("cannot check data: %w", err)
	case got < n:
		return f.rest(n, got, sum)
	}
	if f.r.crc, err = f.dup.sum(f.r.crc, n, f.piece); err != nil {
		return err
	}
	f.r.bytes += uint64(n)
	if err := f.r.verify(sum); err != nil {
		return err
	}
	return f.pour(n)
}

// rest checks by copying what could not be duplicated as a whole.
func (f *fastReceiver) rest(n, duplicated int, sum []byte) error {
	if err := f.dup.read(make([]byte, duplicated)); err != nil {
		return err
	}
	b := f.room(n)
	if err := f.staged.read(b); err != nil {
		return err
	}
	if err := f.r.count(b, sum); err != nil {
		return err
	}
	return f.pass(b)
}

// buffered goes on with a buffer where a frame does not fit our pipe, which
// holds the first bytes of it.
func (f *fastReceiver) buffered(p prefix, staged int) error {
	b := f.room(int(p.length))
	if err := f.staged.read(b[:staged]); err != nil {
		return err
	}
	if _, err := io.ReadFull(f.r.r, b[staged:]); err != nil {
		return f.r.cut(err)
	}
	frame, err := f.r.finish(p, b)
	if err != nil {
		return err
	}
	return f.pass(frame.Payload)
}

// sum takes the next n bytes of a pipe into a CRC-32C, a piece at a time.
func (p *pipe) sum(crc uint32, n int, piece []byte) (uint32, error) {
	for n > 0 {
		got, err := unix.Read(p.r, piece[:min(n, len(piece))])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return crc, fmt.Errorf("cannot read: %w", err)
		}
		crc = crc32.Update(crc, castagnoli, piece[:got])
		n -= got
	}
	return crc, nil
}
