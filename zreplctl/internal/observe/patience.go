package observe

import (
	"context"
	"time"
)

// Patience is how long zfs may say nothing. Where a pool is suspended it may
// never answer, and who watches must be told that. A list of a million
// snapshots takes much less.
const Patience = 2 * time.Minute

// grace is how long work may take to end once it is told to. A zfs in an
// uninterruptible sleep ends at no signal.
const grace = time.Second

// Await calls work, and reports whether it has ended. It has not if ctx is
// cancelled, or if what heard counts does not change for so long: work may
// then go on, and nobody may read what it writes.
func Await(ctx context.Context, patience time.Duration, heard func() int64, work func(context.Context)) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(ctx)
	}()
	tick := time.NewTicker(patience / 8)
	defer tick.Stop()
	last, since := heard(), time.Now()
	for {
		select {
		case <-done:
			return ctx.Err() == nil
		case <-ctx.Done():
			waitFor(done)
			return false
		case <-tick.C:
		}
		if now := heard(); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > patience {
			cancel()
			waitFor(done)
			return false
		}
	}
}

func waitFor(done <-chan struct{}) {
	select {
	case <-done:
	case <-time.After(grace):
	}
}
