package frame

import "golang.org/x/sys/unix"

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
