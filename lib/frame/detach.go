package frame

import (
	"context"
	"time"
)

// abandonAfter is how long a cancelled Send or Receive waits for a read or
// write that blocks on a descriptor that others share.
const abandonAfter = 300 * time.Millisecond

// detach runs f, which may block, in a goroutine, and leaves that to itself
// where it does not end soon after ctx was cancelled. Kill kills its command,
// if it has one.
func detach(ctx context.Context, kill func(), f func() (Trailer, error)) (Trailer, error) {
	type result struct {
		t   Trailer
		err error
	}
	over := make(chan result, 1)
	go func() {
		t, err := f()
		over <- result{t, err}
	}()
	select {
	case r := <-over:
		return r.t, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-over:
		return r.t, r.err
	case <-time.After(abandonAfter):
	}
	kill()
	select {
	case r := <-over:
		return r.t, r.err
	case <-time.After(abandonAfter):
		return Trailer{}, context.Cause(ctx)
	}
}
