package endpoint

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestDrip: a byte now and then keeps no stream going for ever, and one that
// moves is not ended, however long it takes.
func TestDrip(t *testing.T) {
	t.Parallel()
	for each, ends := range map[uint64]bool{1: true, leastMoved: false} {
		f := flow{limit: 100 * time.Millisecond} // looked at once a second
		ctx, stop := f.watch(context.Background())
		end := time.After(5 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		for more := true; more; {
			select {
			case <-tick.C:
				f.moved.Add(each)
			case <-ctx.Done():
				more = false
			case <-end:
				more = false
			}
		}
		tick.Stop()
		var stall *transfer.StallError
		if got := errors.As(context.Cause(ctx), &stall) && stall.Least == leastMoved; got != ends {
			t.Errorf("%d bytes at a time: %v", each, context.Cause(ctx))
		}
		stop()
	}
}
