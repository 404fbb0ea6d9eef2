package replicate

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// busy has a new snapshot of a in every list, and hangs up when b is asked for.
type busy struct {
	sender
	rounds *int
	stop   context.CancelFunc
}

func (s busy) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	if *s.rounds++; *s.rounds > 100 {
		s.stop()
	}
	s.h.mu.Lock()
	s.h.snapshot("a", fmt.Sprintf("n%d", *s.rounds))
	s.h.mu.Unlock()
	return s.sender.List(ctx, in)
}

func (s busy) Send(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	if in.Dataset == "b" {
		time.Sleep(time.Millisecond)
		return nil, &transfer.LinkError{Err: errors.New("the far side hung up")}
	}
	return s.sender.Send(ctx, in)
}

// TestEndlessSource: a source that always has something new keeps no run going
// in which nothing is done of what was due.
func TestEndlessSource(t *testing.T) {
	from, to := newHost(t, 1), newHost(t, 2)
	to.other = from
	for _, n := range []string{"a", "b"} {
		from.add(n)
		from.snapshot(n, "s0")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	rounds := 0
	j := &Job{Sender: busy{sender{from}, &rounds, stop}, Receiver: to, Parallel: 1, Retries: 6, Delay: time.Microsecond, Tracker: &progress.Tracker{}}
	if err := j.Run(ctx); !errors.As(err, new(*transfer.LinkError)) || rounds > 3*(j.Retries+1) {
		t.Errorf("%d rounds, then %v", rounds, err)
	}
}

// TestDue: what was due at the first look is progress, once, and a stream that
// is cut is, as long as its part grows.
func TestDue(t *testing.T) {
	var d due
	step := plan.Step{}
	d.begin([]plan.Result{{Target: "a", Steps: []plan.Step{step, step}}})
	d.begin([]plan.Result{{Target: "b", Steps: []plan.Step{step}}}) // of a later look
	for had, want := range []bool{true, true, true} {               // a slow link, for weeks
		if d.cut("a", uint64(had)<<30) != want {
			t.Errorf("a part of %d GiB: %v", had, !want)
		}
	}
	for what, got := range map[string]bool{
		"the same part again": d.cut("a", 2<<30), "a part thrown away": d.cut("a", 0),
		"a stream of what was not due": d.cut("b", 0), "what was not due": d.done("b", step),
	} {
		if got {
			t.Errorf("%s is progress", what)
		}
	}
	if !d.done("a", step) || !d.done("a", step) || d.done("a", step) {
		t.Error("two steps were due")
	}
}
