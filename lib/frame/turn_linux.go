package frame

import (
	"time"

	"golang.org/x/sys/unix"
)

// turn lets the neighbours in a pipeline run first, where they are waiting for
// our processor. They fill and empty the pipes meanwhile, whose locks we would
// otherwise spin on while they copy: with fewer processors than programs that
// is a tenth of the throughput.
//
// Who else waits for the processor is not known: a program that only
// calculates keeps it for milliseconds. So the turn is given up more and more
// rarely as long as it takes that long to come back.
type turn struct {
	passes  int // how many times not to give it up
	penalty int
}

const (
	shortTurn  = time.Millisecond // a neighbour copies a pipeful in a third of it
	maxPenalty = 4096
)

func (t *turn) yield() {
	if t.passes > 0 {
		t.passes--
		return
	}
	start := time.Now()
	// Not Syscall: while in that, Go's runtime takes our place from us.
	unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	t.took(time.Since(start))
}

// took decides how soon the turn is given up again.
func (t *turn) took(d time.Duration) {
	if d < shortTurn {
		t.penalty = 0
		return
	}
	t.penalty = min(2*t.penalty+16, maxPenalty)
	t.passes = t.penalty
}
