package frame

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// fastReceiver moves data by splice(2). Data with checksums waits in a pipe of
// ours until a duplicate of it was read and checked.
type fastReceiver struct {
	*receiver
	staged *pipe
	dup    *pipe
	piece  []byte
	sumBuf [sumSize]byte
	turn   turn
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

// ready is called before each frame.
func (f *fastReceiver) ready() {
	if f != nil && f.in.kind == pipeKind {
		f.turn.yield()
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
