package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// enlarge makes a pipe as large as a user may.
func enlarge(fd int) { unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, piece) }

// spliceLoop moves stdin to stdout, and does nothing else.
func spliceLoop([]string) error {
	enlarge(0)
	enlarge(1)
	for {
		n, err := unix.Splice(0, nil, 1, nil, piece, unix.SPLICE_F_MOVE)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("splice", err)
		case n == 0:
			return nil
		}
	}
}
