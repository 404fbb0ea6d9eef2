package replicate

import (
	"context"
	"errors"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// oom is a receiver whose commands fail for want of memory behind a receive that was complete.
type oom struct {
	*host
	fails bool
}

func (o *oom) Receive(ctx context.Context, in transfer.ReceiveRequest, s *transfer.Stream, p func(uint64)) (transfer.Received, error) {
	got, err := o.host.Receive(ctx, in, s, p)
	if o.fails && err == nil {
		return got, errors.New("zrecv-frame: killed by signal 9")
	}
	return got, err
}

func (o *oom) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	if o.fails && len(in.Datasets) > 0 {
		return nil, errors.New("zfs list: fork: cannot allocate memory")
	}
	return o.host.List(ctx, in)
}

// TestUnseen: a receive was complete, its command failed, and the receiver could
// not be looked at. The sender keeps the hold on what may be the new base, and the
// next run releases the old one.
func TestUnseen(t *testing.T) {
	from, to := newHost(t, 1), newHost(t, 2)
	to.other = from
	from.add("a")
	r := &oom{host: to}
	run := func() error {
		j := &Job{Sender: sender{from}, Receiver: r, Parallel: 1, Thorough: true, Policy: plan.Policy{Merge: true}, Tracker: &progress.Tracker{}}
		return j.Run(t.Context())
	}
	from.snapshot("a", "s0")
	if err := run(); err != nil {
		t.Fatal(err)
	}
	from.snapshot("a", "s1")
	r.fails = true
	if err := run(); err == nil {
		t.Error("a run that does not know what it brought is no failure")
	}
	if held := from.datasets["a"].held; !held["s0"] || !held["s1"] {
		t.Errorf("the sender holds %v, and not both the base and what may have arrived", held)
	}
	r.fails = false
	if err := run(); err != nil {
		t.Fatal(err)
	}
	if held := from.datasets["a"].held; held["s0"] || !held["s1"] {
		t.Errorf("the sender holds %v, and not the base alone", held)
	}
}
