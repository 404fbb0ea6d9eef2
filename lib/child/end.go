package child

import (
	"syscall"
	"time"
)

// End passes a signal on and gives the program, or its group, that long to
// end by itself; then it kills it.
func (p *Process) End(sig syscall.Signal, grace time.Duration) {
	p.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	p.Kill()
}
