//go:build !linux

package endpoint

import (
	"os"
	"sync/atomic"
)

// relay moves what comes on a pipe on to another one, until its end or until
// nobody reads, and counts it. Allowed waits until it may go on, and says with
// how much; spent is told what moved.
func relay(from, to *os.File, moved *atomic.Uint64, allowed func() int, spent func(int) error) {
	buf := make([]byte, 256<<10)
	for {
		most := allowed()
		if most == 0 {
			return
		}
		n, err := from.Read(buf[:min(most, len(buf))])
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
			moved.Add(uint64(n))
			if spent(n) != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
