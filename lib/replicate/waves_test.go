package replicate

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// watched is a sender that notes its batches of holds. The second one is not
// done before a stream has begun, so that a run whose streams all wait for all
// holds would not end.
type watched struct {
	sender
	mu      sync.Mutex
	batches []int
	under   atomic.Int32
	sent    chan struct{}
}

func (w *watched) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	w.under.Add(1)
	defer w.under.Add(-1)
	if len(in.Hold) > 0 {
		w.mu.Lock()
		w.batches = append(w.batches, len(in.Hold))
		second := len(w.batches) == 2
		w.mu.Unlock()
		if second {
			<-w.sent
		}
	}
	return w.sender.Protect(ctx, in)
}

func (w *watched) Send(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	select {
	case w.sent <- struct{}{}:
	default:
	}
	return w.sender.Send(ctx, in)
}

// TestWaves has the first streams wait for a few holds and not for all, and
// nothing be under way once a run has ended.
func TestWaves(t *testing.T) {
	from, to := newHost(t, 1), newHost(t, 2)
	to.other = from
	for i := range 300 {
		ds := fmt.Sprintf("d%03d", i)
		from.add(ds)
		from.snapshot(ds, "s0")
	}
	w := &watched{sender: sender{from}, sent: make(chan struct{}, 1)}
	j := &Job{Sender: w, Receiver: to, Parallel: 2, Policy: plan.Policy{}, Tracker: &progress.Tracker{}}
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.under.Load(); n != 0 {
		t.Errorf("%d batches are under way after the run", n)
	}
	if want := []int{4, 16, 64, 128, 300 - 212}; !slices.Equal(w.batches, want) {
		t.Errorf("batches of %v holds, not %v", w.batches, want)
	}
}
