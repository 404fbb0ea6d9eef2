package frame

import (
	"context"
	"time"
)

// abandonAfter is how long a cancelled Send or Receive waits for a read or
// write that blocks on a descriptor that others share.
const abandonAfter = 300 * time.Millisecond

// detach runs f, which may block, in a goroutine, and leaves that to itself
// where it does not end soon after ctx was cancelled.
func detach(ctx context.Context, cmd Command, f func() error) error {
	result := make(chan error, 1)
	go func() { result <- f() }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-result:
		return err
	case <-time.After(abandonAfter):
	}
	if cmd != nil {
		cmd.Kill()
	}
	select {
	case err := <-result:
		return err
	case <-time.After(abandonAfter):
		return context.Cause(ctx)
	}
}
