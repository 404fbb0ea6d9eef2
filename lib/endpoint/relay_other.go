//go:build !linux

package endpoint

import (
	"os"
	"sync/atomic"
)

// relay moves what comes on a pipe on to another one, until its end or until
// nobody reads, and counts it.
func relay(from, to *os.File, moved *atomic.Uint64) {
	buf := make([]byte, 256<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
			moved.Add(uint64(n))
		}
		if err != nil {
			return
		}
	}
}
