package replicate

import (
	"context"
	"errors"
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

// linger is how long a batch waits for more to come.
const linger = 2 * time.Second

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
	for s.run {
		s.hurry()
		s.idle.Wait()
	}
}

func (s *settler) loop(ctx context.Context) {
	for {
		select {
		case <-s.full:
		case <-time.After(linger):
		}
		s.mu.Lock()
		batch := s.todo
		s.todo = nil
		if len(batch) == 0 {
			s.run = false
			s.idle.Broadcast()
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		s.settle(ctx, batch)
	}
}

func (s *settler) settle(ctx context.Context, batch []arrival) {
	newest := map[int]dataset.Version{}
	passed := map[int][]dataset.Version{} // what need not be held any more
	var order []int
	var there transfer.Holds
	for _, a := range batch {
		if v, ok := newest[a.i]; ok {
			passed[a.i] = append(passed[a.i], v)
			// Where its stream had failed it was held when it was found there.
			there.Release = append(there.Release, s.r.target(a.i, v))
		} else {
			order = append(order, a.i)
		}
		n := len(a.step.Brings) - 1
		passed[a.i] = append(passed[a.i], a.step.Brings[:n]...)
		newest[a.i] = a.step.Brings[n]
	}
	there.Confirm = true
	for _, i := range order {
		there.Hold = append(there.Hold, s.r.target(i, newest[i]))
		if last := s.last[i]; last != nil {
			there.Release = append(there.Release, s.r.target(i, last.Receiver))
		}
		there.Release = append(there.Release, s.r.staleTarget(i)...)
	}
	bad, err := s.r.Receiver.Protect(ctx, there)
	if err != nil {
		s.blame(order, err)
		return
	}
	var here transfer.Holds
	var good []int
	for _, i := range order {
		if problem := bad[s.r.results[i].Target]; problem != "" {
			s.r.fail(i, errors.New(problem))
			continue
		}
		good = append(good, i)
		s.letGo(&here, i, newest[i], passed[i])
		s.last[i] = &plan.Base{Sender: newest[i], Receiver: newest[i]}
	}
	bad, err = s.r.Sender.Protect(ctx, here)
	if err != nil {
		s.blame(good, err)
		return
	}
	for _, i := range good {
		if problem := bad[s.r.results[i].Source]; problem != "" {
			s.r.fail(i, errors.New(problem))
		}
	}
}

// letGo adds to h what the sender need not hold any more of dataset i.
func (s *settler) letGo(h *transfer.Holds, i int, to dataset.Version, passed []dataset.Version) {
	steps := s.r.results[i].Steps
	if s.r.bookmark(i) && steps[len(steps)-1].To.GUID == to.GUID { // until then the hold is the cursor
		h.Bookmark = append(h.Bookmark, s.r.source(i, to))
		h.Release = append(h.Release, s.r.source(i, to))
	}
	if last := s.last[i]; last != nil && last.Sender.Kind == dataset.Snapshot {
		h.Release = append(h.Release, s.r.source(i, last.Sender))
	}
	for _, v := range passed {
		h.Release = append(h.Release, s.r.source(i, v))
	}
	h.Release = append(h.Release, s.r.staleSource(i)...)
	h.Forget = append(h.Forget, s.r.staleMarks(i, to)...)
}

// blame notes an error of a whole batch. A lost link is not the datasets'
// fault: the next round finds what is there.
func (s *settler) blame(datasets []int, err error) {
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
