package frame

import (
	"testing"
	"time"
)

// Where another program keeps the processor, a thousand frames may wait for it
// a few times and no more.
func TestTurnIsGivenUpRarelyWhereItIsLong(t *testing.T) {
	var turn turn
	waits := 0
	for range 1000 {
		if turn.passes > 0 {
			turn.yield()
			continue
		}
		waits++
		turn.took(3 * time.Millisecond)
	}
	if waits > 7 {
		t.Errorf("waited %d times in 1000 frames", waits)
	}
	turn.passes = 0
	turn.took(time.Microsecond)
	if turn.passes != 0 || turn.penalty != 0 {
		t.Errorf("a short turn is not given up again at once: %+v", turn)
	}
}
