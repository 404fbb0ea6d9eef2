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
// nothing be under way once a run has ended. No two snapshots have one name.
func TestWaves(t *testing.T) {
	from, to := newHost(t, 1), newHost(t, 2)
	to.other = from
	for i := range 300 {
		ds := fmt.Sprintf("d%03d", i)
		from.add(ds)
		from.snapshot(ds, "s-"+ds)
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

// counted notes how many snapshots each call of Protect holds and releases.
type counted struct {
	*host
	calls *[]string
}

func (c counted) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	bad, err := c.host.Protect(ctx, in)
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.calls = append(*c.calls, fmt.Sprintf("%d/%d", len(in.Hold), len(in.Release)+len(in.Past)))
	return bad, err
}

type countedSender struct {
	sender
	counted
}

func (c countedSender) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	return c.counted.Protect(ctx, in)
}
func (c countedSender) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	return c.sender.List(ctx, in)
}
func (c countedSender) Send(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	return c.sender.Send(ctx, in)
}
func (c countedSender) Held(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return c.sender.Held(ctx, in)
}
func (c countedSender) Deferred(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return c.sender.Deferred(ctx, in)
}

// TestTogether: what was snapshotted together is held and released together,
// on both sides, also over several steps and in long chains.
func TestTogether(t *testing.T) {
	for name, merge := range map[string]bool{"single steps": false, "chains": true} {
		parallel := 1 // or one that is slow with its last step is left behind
		if merge {
			parallel = 3
		}
		from, to := newHost(t, 1), newHost(t, 2)
		to.other = from
		snapshot := func(first, last int) {
			for s := first; s <= last; s++ {
				for i := range 40 {
					from.snapshot(fmt.Sprintf("d%02d", i), fmt.Sprintf("s%d", s))
				}
			}
		}
		for i := range 40 {
			from.add(fmt.Sprintf("d%02d", i))
		}
		snapshot(0, 0)
		var here, there []string
		run := func() {
			here, there = nil, nil
			j := &Job{Sender: countedSender{sender{from}, counted{from, &here}}, Receiver: counted{to, &there}, Parallel: parallel,
				Policy: plan.Policy{Merge: merge}, Tracker: &progress.Tracker{}}
			if err := j.Run(t.Context()); err != nil {
				t.Fatal(name, err)
			}
			slices.Sort(here)
			slices.Sort(there)
		}
		run()
		for _, c := range []struct {
			last        int
			here, there map[bool][]string
		}{
			{1, map[bool][]string{false: {"0/40", "40/0"}, true: {"0/40", "40/0"}}, map[bool][]string{false: {"0/40", "40/0"}, true: {"0/40", "40/0"}}},
			{4, map[bool][]string{false: {"0/120", "40/0", "40/0", "40/0"}, true: {"0/40", "40/0"}}, map[bool][]string{false: {"0/120", "40/0"}, true: {"0/40", "40/0"}}},
			{304, map[bool][]string{true: {"0/40", "40/0"}}, map[bool][]string{true: {"0/40", "40/0"}}},
		} {
			if c.here[merge] == nil {
				continue
			}
			snapshot(len(from.datasets["d00"].versions), c.last)
			run()
			if !slices.Equal(here, c.here[merge]) || !slices.Equal(there, c.there[merge]) {
				t.Errorf("%s, up to s%d: the sender held and released %v, the receiver %v", name, c.last, here, there)
			}
		}
	}
}
