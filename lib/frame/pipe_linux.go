package frame

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

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

// pipeSize is how large a pipe should be: what a user without privileges may
// have at most by default.
const pipeSize = 1 << 20

// enlarge makes a pipe as large as it helps. Where that is not allowed it
// stays as it is.
func (p *port) enlarge() {
	if p.kind == pipeKind {
		enlargePipe(p.fd)
	}
}

// enlargePipe returns the size that the pipe has then.
func enlargePipe(fd int) int {
	size, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	if err != nil || size >= pipeSize {
		return size
	}
	if larger, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeSize); err == nil {
		return larger
	}
	return size
}

// pipe is one of our own, that nobody else has.
type pipe struct {
	r, w int
	size int // in bytes, if all of its slots are full
}

func newPipe() (*pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	return &pipe{r: fds[0], w: fds[1], size: enlargePipe(fds[0])}, nil
}

func (p *pipe) close() {
	if p != nil {
		unix.Close(p.r)
		unix.Close(p.w)
	}
}

// read fills b with what is in the pipe.
func (p *pipe) read(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Read(p.r, b)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("cannot read: %w", err)
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
	}
	return nil
}

// splice moves up to n bytes; none with an error.
func splice(from, to, n int) (int, error) {
	for {
		moved, err := unix.Splice(from, nil, to, nil, n, spliceFlags)
		if err != unix.EINTR {
			return max(0, int(moved)), err
		}
	}
}

// tee duplicates up to n bytes, from the front; none with an error.
func tee(from, to, n int) (int, error) {
	for {
		got, err := unix.Tee(from, to, n, unix.SPLICE_F_NONBLOCK)
		if err != unix.EINTR {
			return max(0, int(got)), err
		}
	}
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

// unread is how many bytes of a pipe were not read yet, at its other end.
func (p *port) unread() int {
	n, err := unix.IoctlGetInt(p.fd, unix.TIOCINQ)
	if p.kind != pipeKind || err != nil {
		return 0
	}
	return n
}
