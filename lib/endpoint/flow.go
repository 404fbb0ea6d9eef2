package endpoint

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// flow watches a stream on its way: it tells how much has moved, once a second
// and at the end, and ends what moves it once nothing has moved for too long,
// be it that nobody writes or that nobody reads.
type flow struct {
	moved    atomic.Uint64
	link     atomic.Uint64    // what that is, compressed, if it is
	stream   *transfer.Stream // told what compression saves; may be nil
	ending   atomic.Bool      // all has moved, or all of one snapshot: zfs receive has to end
	limit    time.Duration    // 0: none
	progress func(bytes uint64)
}

// mostEnding is how long a zfs receive that has all of its stream may take to
// end. It may have much to free then, and nothing moves meanwhile.
const mostEnding = 24 * time.Hour

// A stream that moves fewer than leastMoved bytes within longWindow times the
// limit is ended, too: one byte now and then would keep a run going for ever.
// That is some bytes a second, fewer than any link brings.
const (
	leastMoved = 64 << 10
	longWindow = 12
)

// flowTick is how often a flow is looked at.
const flowTick = time.Second

// watch begins. The context is cancelled, with a *transfer.StallError as its
// cause, where the stream stalls. Stop ends it, and tells progress once more.
func (f *flow) watch(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(flowTick)
		defer tick.Stop()
		last, any, since, ending := uint64(0), uint64(0), time.Now(), false
		window := drip{begun: since}
		for done := false; !done; {
			select {
			case <-tick.C:
			case <-quit:
				done = true
			}
			limit := f.limit
			if limit > 0 && f.ending.Load() {
				limit = max(limit, mostEnding)
			}
			if was := ending; was != f.ending.Load() {
				since, ending = time.Now(), !was
				window = drip{since, f.moved.Load()}
			}
			n, link := f.moved.Load(), f.link.Load()
			f.tellSaved(n, link)
			if !done && !ending && window.slow(n, longWindow*limit) {
				cancel(&transfer.StallError{Limit: longWindow * limit, Least: leastMoved})
			}
			if n != last && f.progress != nil {
				f.progress(n)
			}
			last = n
			switch {
			case n+link != any: // zstd keeps some back, at either end
				any, since = n+link, time.Now()
			case !done && limit > 0 && time.Since(since) >= limit:
				cancel(&transfer.StallError{Limit: f.limit})
			}
		}
	}()
	return ctx, func() { close(quit); <-over; cancel(nil) }
}

// tellSaved tells the stream what compression has kept off the connection.
func (f *flow) tellSaved(moved, link uint64) {
	if f.stream != nil && link > 0 {
		f.stream.Saved.Store(int64(moved) - int64(link))
	}
}

// drip is a stretch of time, and what had moved at its beginning.
type drip struct {
	begun time.Time
	from  uint64
}

// slow reports whether a stretch of a length is over in which too little
// moved. Where enough did, the next one begins.
func (d *drip) slow(moved uint64, length time.Duration) bool {
	if length == 0 || time.Since(d.begun) < length {
		return false
	}
	few := moved-d.from < leastMoved
	*d = drip{time.Now(), moved}
	return few
}

// stalled is the error of a stalled flow, or nil.
func stalled(ctx context.Context) error {
	if s, ok := context.Cause(ctx).(*transfer.StallError); ok {
		return &transfer.LinkError{Err: s}
	}
	return nil
}

// stuckGrace is how long a program may take to end once it was told to. One
// that the kernel does not let go, as in a pool that hangs, is left behind:
// it keeps the job's lock.
const stuckGrace = 15 * time.Second

// ended waits for p, but not for ever once ctx is cancelled. Only where it
// returns true may p's pipes be expected to end, and p be waited for.
func ended(ctx context.Context, p *child.Process) bool {
	select {
	case <-p.Done():
		return true
	case <-ctx.Done():
	}
	select {
	case <-p.Done():
		return true
	case <-time.After(stuckGrace):
		return false
	}
}

// sendFramed sends as send does, and ends a stream that stalls.
func (f *flow) sendFramed(ctx context.Context, slot *transfer.Slot, sendFrame []string, stream *transfer.Stream, out *os.File) error {
	watched, stop := f.watch(ctx)
	defer stop()
	return f.send(watched, slot, sendFrame, stream, out)
}

// send has zsend-frame send the output of the stream's command to out.
func (f *flow) send(ctx context.Context, slot *transfer.Slot, sendFrame []string, stream *transfer.Stream, out *os.File) error {
	_, s, err := f.move(ctx, slot, sendFrame, frameFiles{stdout: out}, frameJob{stream.Args, stream.Expect, stream.Compress})
	if err != nil {
		return err
	}
	switch stall := stalled(ctx); {
	case s.OK():
		return nil
	case stall != nil:
		return stall
	}
	return fmt.Errorf("%s: %s", child.Clean(s.Stderr, maxSaid), s)
}
