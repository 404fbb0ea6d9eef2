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
// While one batch is on its way those that arrive wait for the next. What has
// an older base that both ends hold waits for others, since ZFS holds
// snapshots that were taken together at once.
type settler struct {
	r      *round
	mu     sync.Mutex
	todo   []arrival
	run    bool
	idle   *sync.Cond
	wake   chan struct{}      // what there is to wait for has changed
	over   bool               // nothing more will come
	parted bool               // something was settled before that
	last   map[int]*plan.Base // what both ends hold of a dataset
	kept   map[int]bool       // an earlier base was kept as a bookmark
}

type arrival struct {
	i      int
	step   plan.Step
	at     time.Time
	urgent bool // no older base stands in for it
}

func newSettler(r *round) *settler {
	s := &settler{r: r, last: map[int]*plan.Base{}, kept: map[int]bool{}, wake: make(chan struct{}, 1)}
	s.idle = sync.NewCond(&s.mu)
	for i, p := range r.results {
		s.last[i] = p.Base
	}
	return s
}

// add settles what step has brought. Cut says that its stream broke after it:
// the sender does not hold it yet.
func (s *settler) add(ctx context.Context, i int, step plan.Step, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.todo = append(s.todo, arrival{i, step, time.Now(), cut || s.last[i] == nil})
	if !s.run {
		s.run = true
		go s.loop(ctx)
	}
	s.nudge()
}

const (
	// linger is how long what has no older base waits for more to come.
	linger = 4 * time.Second
	// patience is how long others do. They cost a hold and a release each if
	// they cannot wait for all that was snapshotted with them.
	patience = 5 * time.Minute
)

func (s *settler) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// finish returns when nothing is left to settle.
func (s *settler) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.nudge()
	for s.run {
		s.idle.Wait()
	}
}

func (s *settler) loop(ctx context.Context) {
	var old replaced
	began := time.Now()
	for {
		s.mu.Lock()
		batch, wait := s.next(old, began)
		whole := s.over && !s.parted
		s.parted = s.parted || len(batch) > 0 && !s.over // some of a name is held already
		if wait > 0 {
			s.mu.Unlock()
			select {
			case <-s.wake:
			case <-time.After(wait):
			}
			continue
		}
		if len(batch)+len(old.datasets) == 0 {
			s.run = false
			s.idle.Broadcast()
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		old = s.settle(ctx, batch, old, whole)
		began = time.Now()
	}
}

// next takes what is to be settled now, or else says how long to wait. Began
// is when old was replaced.
func (s *settler) next(old replaced, began time.Time) (batch []arrival, wait time.Duration) {
	now, urgent := time.Now(), 0
	first, all := now.Add(patience), s.over
	if len(old.datasets) > 0 {
		first = began.Add(linger)
	}
	for _, a := range s.todo {
		due := a.at.Add(patience)
		if !due.After(now) {
			all = true
		}
		if a.urgent {
			urgent++
			due = a.at.Add(linger)
		}
		if due.Before(first) {
			first = due
		}
	}
	switch {
	case all, len(s.todo) == 0 && len(old.datasets) == 0:
		batch, s.todo = s.todo, nil
		return batch, 0
	case urgent < waveSnaps && first.After(now):
		return nil, first.Sub(now)
	}
	var rest []arrival
	taken := map[int]bool{} // what is under way of a dataset is settled in order
	for _, a := range s.todo {
		taken[a.i] = taken[a.i] || a.urgent
	}
	for _, a := range s.todo {
		if taken[a.i] {
			batch = append(batch, a)
		} else {
			rest = append(rest, a)
		}
	}
	s.todo = rest
	return batch, 0
}

// replaced is what both ends need not hold any more, and of which datasets.
type replaced struct {
	datasets    []int
	there, here transfer.Holds
	together    bool // they are all that there is
}

// settle has the receiver hold what arrived last of each dataset. What both
// ends held until now is let go with the next batch, so that holds and
// releases, each of which waits for the disk, wait together.
func (s *settler) settle(ctx context.Context, batch []arrival, old replaced, together bool) (next replaced) {
	next.together = together
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
	for _, i := range s.hold(ctx, order, newest, old, together) {
		next.datasets = append(next.datasets, i)
		for _, v := range between[i] { // held where its stream had failed and it was found there
			next.there.Past = append(next.there.Past, s.r.target(i, v))
		}
		if last := s.last[i]; last != nil && last.Receiver.GUID != newest[i].GUID {
			next.there.Past = append(next.there.Past, s.r.target(i, last.Receiver))
		}
		s.letGo(&next.here, i, newest[i], between[i])
		if s.r.view.sources[s.r.results[i].Source].Common != "" {
			next.here.Common = append(next.here.Common, s.r.source(i, newest[i]))
		}
		s.mu.Lock()
		s.last[i] = &plan.Base{Sender: newest[i], Receiver: newest[i]}
		s.mu.Unlock()
		s.r.bases.move(s.r.results[i], newest[i].GUID)
	}
	next.here = s.r.spare(next.here)
	return next
}

// hold has the receiver look up and hold the newest version of each dataset,
// and both ends let go of what is old. It returns the datasets held.
func (s *settler) hold(ctx context.Context, datasets []int, newest map[int]dataset.Version, old replaced, together bool) (good []int) {
	in := old.there
	in.Confirm, in.Together = true, together || old.together
	for _, i := range datasets {
		in.Hold = append(in.Hold, s.r.target(i, newest[i]))
	}
	source := func(i int) string { return s.r.results[i].Source }
	letGo := func() []int {
		old.here.Together = old.together
		bad, err := s.r.Sender.Protect(ctx, old.here)
		return s.unharmed(old.datasets, bad, err, source)
	}
	var wg sync.WaitGroup
	switch {
	case len(old.here.Hold) > 0: // until the sender holds it the receiver's old one is the base
		kept := letGo()
		in.Past = slices.DeleteFunc(in.Past, func(snap transfer.Snap) bool {
			return !slices.ContainsFunc(kept, func(i int) bool { return s.r.results[i].Target == snap.Dataset })
		})
	case len(old.datasets) > 0:
		wg.Go(func() { letGo() })
	}
	wg.Go(func() {
		bad, err := s.r.Receiver.Protect(ctx, in)
		target := func(i int) string { return s.r.results[i].Target }
		s.unharmed(old.datasets, bad, err, target)
		good = s.unharmed(datasets, bad, err, target)
	})
	wg.Wait()
	return good
}

// unharmed notes what went wrong with a batch, and returns the other datasets.
func (s *settler) unharmed(datasets []int, bad transfer.Problems, err error, name func(int) string) (good []int) {
	if err != nil {
		s.blame(datasets, err)
		return nil
	}
	for _, i := range datasets {
		if err := bad[name(i)].Err(); err != nil {
			s.r.leave()
			s.r.fail(i, err)
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
		s.keep(h, i, last.Sender)
		h.Release = append(h.Release, s.r.source(i, last.Sender))
	}
	for _, v := range passed {
		h.Release = append(h.Release, s.r.source(i, v))
	}
	h.Forget = append(h.Forget, s.r.staleMarks(i, to)...)
}

// keep has the sender keep a base as a bookmark when another takes its place,
// once in a round, if the sender asks for it.
func (s *settler) keep(h *transfer.Holds, i int, base dataset.Version) {
	if !s.r.view.sources[s.r.results[i].Source].Keep || s.kept[i] {
		return
	}
	s.kept[i] = true
	h.Keep = append(h.Keep, s.r.source(i, base))
	h.Forget = append(h.Forget, s.r.staleKept(i, base)...)
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
