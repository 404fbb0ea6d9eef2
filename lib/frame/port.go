package frame

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// port is one of the two descriptors that a stream moves between.
type port struct {
	file *os.File // keeps the descriptor open
	fd   int
	kind kind
}

type kind uint8

const (
	otherKind kind = iota
	pipeKind
	socketKind
	fileKind
)

// newPort takes the number of a file's descriptor, of which it touches no flag.
func newPort(f *os.File) (*port, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	p := &port{file: f}
	var st unix.Stat_t
	if cerr := raw.Control(func(fd uintptr) {
		p.fd = int(fd)
		err = unix.Fstat(p.fd, &st)
	}); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFIFO:
		p.kind = pipeKind
	case unix.S_IFSOCK:
		p.kind = socketKind
	case unix.S_IFREG:
		p.kind = fileKind
	}
	return p, nil
}

// read reads what is there, at most len(b) bytes; it waits only if the
// descriptor does. At the end n is 0.
func (p *port) read(b []byte) (n int, err error) {
	for {
		n, err = unix.Read(p.fd, b)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read: %w", err)
	}
	return n, nil
}

// again tells whether a call would have waited.
func again(err error) bool { return err == unix.EAGAIN }

// writeAll writes all of b. Where the descriptor does not wait by itself, or
// is not ready, it waits with w, and calls gone when that is woken.
func (p *port) writeAll(b []byte, w *watch, gone func() error) (int, error) {
	written := 0
	for written < len(b) {
		if err := p.awaitOut(w, gone); err != nil {
			return written, err
		}
		n, err := unix.Write(p.fd, b[written:])
		if n > 0 {
			written += n
		}
		if err != nil && !again(err) && err != unix.EINTR {
			return written, fmt.Errorf("cannot write: %w", err)
		}
	}
	return written, nil
}

// awaitOut waits until something can be written.
func (p *port) awaitOut(w *watch, gone func() error) error {
	for {
		ready, _, err := w.poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLOUT}}, -1)
		if ready || err != nil {
			return err
		}
		if err := gone(); err != nil {
			return err
		}
	}
}
