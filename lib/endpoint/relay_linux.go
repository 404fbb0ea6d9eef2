package endpoint

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// relay moves what comes on a pipe on to another one, until its end or until
// nobody reads, and counts it. Allowed waits until it may go on, and says with
// how much; spent is told what moved. The data is passed on within the kernel.
func relay(from, to *os.File, moved *atomic.Uint64, allowed func() int, spent func(int) error) {
	in, err := child.FD(from)
	if err != nil {
		return
	}
	out, err := child.FD(to)
	if err != nil {
		return
	}
	for {
		most := allowed()
		if most == 0 {
			return
		}
		n, err := unix.Splice(in, nil, out, nil, most, unix.SPLICE_F_MOVE)
		switch {
		case err == unix.EINTR:
		case err != nil || n == 0:
			return
		default:
			moved.Add(uint64(n))
			if spent(int(n)) != nil {
				return
			}
		}
	}
}
