package replicate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// settler makes what has arrived the new common base: it has the guid looked
// up on the receiver, and moves the holds, first the new ones, then the old.
// While one batch is on its way those that arrive wait for the next.
type settler struct {
	r    *round
	mu   sync.Mutex
	todo []arrival
	run  bool
	idle *sync.Cond
	full chan struct{}      // closed when there is no use in waiting for more
	over bool               // nothing more will come
	last map[int]*plan.Base // what both ends hold of a dataset
}

type arrival struct {
	i    int
	step plan.Step
}

func newSettler(r *round) *settler {
	s := &settler{r: r, last: map[int]*plan.Base{}}
	s.idle = sync.NewCond(&s.mu)
	for i, p := range r.results {
		s.last[i] = p.Base
	}
	return s
}

func (s *settler) add(ctx context.Context, i int, step plan.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.todo = append(s.todo, arrival{i, step})
	if !s.run {
		s.run, s.full = true, make(chan struct{})
		go s.loop(ctx)
	}
	if len(s.todo) == waveSnaps {
		s.hurry()
	}
}

// linger is how long a batch waits for more to come: until then what both ends
// held before is the base that nobody can take away.
const linger = 4 * time.Second

// hurry ends the wait for more, under mu.
func (s *settler) hurry() {
	select {
	case <-s.full:
	default:
		close(s.full)
	}
}

// finish returns when nothing is left to settle.
func (s *settler) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for s.run {
		s.hurry()
		s.idle.Wait()
	}
}

func (s *settler) loop(ctx context.Context) {
	var old replaced
	for {
		select {
		case <-s.full:
		case <-time.After(linger):
		}
		s.mu.Lock()
		batch := s.todo
		s.todo = nil
		if !s.over {
			s.full = make(chan struct{})
		}
		if len(batch)+len(old.datasets) == 0 {
			s.run = false
			s.idle.Broadcast()
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		old = s.settle(ctx, batch, old)
	}
}

// replaced is what both ends need not hold any more, and of which datasets.
type replaced struct {
	datasets    []int
	there, here transfer.Holds
}

// settle has the receiver hold what arrived last of each dataset. What both
// ends held until now is let go with the next batch, so that holds and
// releases, each of which waits for the disk, wait together.
func (s *settler) settle(ctx context.Context, batch []arrival, old replaced) (next replaced) {
	newest := map[int]dataset.Version{}
	between := map[int][]dataset.Version{} // the last of a stream, but not the newest
	var order []int
	for _, a := range batch {
		if v, ok := newest[a.i]; ok {
			between[a.i] = append(between[a.i], v)
		} else {
			order = append(order, a.i)
		}
		n := len(a.step.Brings) - 1
		newest[a.i] = a.step.Brings[n]
	}
	for _, i := range s.hold(ctx, order, newest, old) {
		next.datasets = append(next.datasets, i)
		for _, v := range between[i] { // held where its stream had failed and it was found there
			next.there.Past = append(next.there.Past, s.r.target(i, v))
		}
		if last := s.last[i]; last != nil && last.Receiver.GUID != newest[i].GUID {
			next.there.Past = append(next.there.Past, s.r.target(i, last.Receiver))
		}
		s.letGo(&next.here, i, newest[i], between[i])
		s.last[i] = &plan.Base{Sender: newest[i], Receiver: newest[i]}
		s.r.bases.move(s.r.results[i], newest[i].GUID)
	}
	return next
}

// hold has the receiver look up and hold the newest version of each dataset,
// and both ends let go of what is old. It returns the datasets held.
func (s *settler) hold(ctx context.Context, datasets []int, newest map[int]dataset.Version, old replaced) (good []int) {
	in := old.there
	in.Confirm = true
	for _, i := range datasets {
		in.Hold = append(in.Hold, s.r.target(i, newest[i]))
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		bad, err := s.r.Receiver.Protect(ctx, in)
		target := func(i int) string { return s.r.results[i].Target }
		s.judge(old.datasets, bad, err, target)
		good = s.judge(datasets, bad, err, target)
	})
	if len(old.datasets) > 0 {
		wg.Go(func() {
			bad, err := s.r.Sender.Protect(ctx, old.here)
			s.judge(old.datasets, bad, err, func(i int) string { return s.r.results[i].Source })
		})
	}
	wg.Wait()
	return good
}

// judge notes what went wrong with a batch, and returns the other datasets.
func (s *settler) judge(datasets []int, bad transfer.Problems, err error, name func(int) string) (good []int) {
	if err != nil {
		s.blame(datasets, err)
		return nil
	}
	for _, i := range datasets {
		if problem := bad[name(i)]; problem != "" {
			s.r.leave()
			s.r.fail(i, errors.New(problem))
		} else {
			good = append(good, i)
		}
	}
	return good
}

// letGo adds to h what the sender need not hold any more of dataset i.
func (s *settler) letGo(h *transfer.Holds, i int, to dataset.Version, passed []dataset.Version) {
	steps := s.r.results[i].Steps
	isEnd := func(step plan.Step) bool { return step.To != nil && step.To.GUID == to.GUID }
	switch {
	case !slices.ContainsFunc(steps, isEnd): // of a chain that was cut
		h.Hold = append(h.Hold, s.r.source(i, to))
	case s.r.bookmark(i) && isEnd(steps[len(steps)-1]): // until then the hold is the cursor
		h.Bookmark = append(h.Bookmark, s.r.source(i, to))
		h.Release = append(h.Release, s.r.source(i, to))
	}
	if last := s.last[i]; last != nil && last.Sender.Kind == dataset.Snapshot {
		h.Release = append(h.Release, s.r.source(i, last.Sender))
	}
	for _, v := range passed {
		h.Release = append(h.Release, s.r.source(i, v))
	}
	h.Forget = append(h.Forget, s.r.staleMarks(i, to)...)
}

// blame notes an error of a whole batch. A lost link is not the datasets'
// fault: the next round finds what is there.
func (s *settler) blame(datasets []int, err error) {
	s.r.leave()
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	var link *transfer.LinkError
	if errors.As(err, &link) {
		if s.r.lost == nil {
			s.r.lost = err
		}
		return
	}
	for _, i := range datasets {
		s.r.blame(i, err)
	}
}
