package rpc

import "golang.org/x/sys/unix"

// pipeBuf is how much a pipe takes without waiting once poll(2) says that it
// can be written to: a page (pipe(7), PIPE_BUF).
const pipeBuf = 4096

// readNow reads what is there, or says EAGAIN: preadv2(2) with RWF_NOWAIT,
// which does not need O_NONBLOCK.
func readNow(fd int, p []byte) (int, error) {
	return unix.Preadv2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
}

// writeNow writes what fits, or says EAGAIN.
func writeNow(fd int, p []byte) (int, error) {
	return unix.Pwritev2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
}
