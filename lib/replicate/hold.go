package replicate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// waveSnaps is how many snapshots one batch of holds has at most, about, if
// the sender cannot hold them all at once. The first one is small, since streams
// wait for it and each hold waits for the disk; each that follows has time
// while the streams of the one before flow.
const (
	firstSnaps = 4
	waveGrowth = 4
	waveSnaps  = 128
)

// holder has the sender hold the end of what is sent next, one snapshot of a
// dataset, a wave of datasets at a time, and the next wave while streams of
// the last one flow. What lies between base and end is held by zfs send while
// it runs.
type holder struct {
	r     *round
	mu    sync.Mutex
	ahead map[int]claim // by dataset, the newest
	holds map[int][]dataset.Version
	last  *wave
	order []want // what no wave has yet, in the order of the queue
	most  int    // how many snapshots the next wave has, about
	under sync.WaitGroup

	later    map[string][]want // ends of later steps, by name, until all that have the name are there
	expected map[string]int    // how many those will be
	having   map[string]int    // how many of the sender's datasets have a snapshot of that name
}

// want is the end of a step of dataset i.
type want struct {
	i int
	v dataset.Version
}

// claim is a snapshot in a wave.
type claim struct {
	w    *wave
	guid dataset.GUID
}

// wave is one batch. Done is closed when it is over.
type wave struct {
	done chan struct{}
	err  error
	bad  transfer.Problems
	in   transfer.Holds
}

func newHolder(r *round) *holder {
	h := &holder{r: r, ahead: map[int]claim{}, holds: map[int][]dataset.Version{}, most: firstSnaps,
		later: map[string][]want{}, expected: map[string]int{}, having: map[string]int{}}
	for i, p := range r.results {
		if len(p.Steps) > 0 && p.Steps[0].To != nil {
			h.order = append(h.order, want{i, *p.Steps[0].To})
		}
		for _, s := range p.Steps[min(1, len(p.Steps)):] {
			if s.To != nil {
				h.expected[s.To.Name]++
			}
		}
	}
	slices.SortStableFunc(h.order, func(a, b want) int {
		return cmp.Compare(first(r.results[a.i].Steps), first(r.results[b.i].Steps))
	})
	return h
}

func first(steps []plan.Step) uint64 {
	if len(steps[0].Brings) == 0 {
		return 0
	}
	return steps[0].Brings[0].CreateTXG
}

// ensure returns when the end of step is held.
func (h *holder) ensure(ctx context.Context, i int, step plan.Step) error {
	h.mu.Lock()
	c, ok := h.ahead[i]
	if !ok || c.guid != step.To.GUID {
		h.promote(step.To.Name)
		h.order = slices.DeleteFunc(h.order, func(w want) bool { return w.i == i })
		h.order = slices.Insert(h.order, 0, want{i, *step.To})
		h.start(ctx)
		c = h.ahead[i]
	}
	h.mu.Unlock()
	select {
	case <-c.w.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch problem := c.w.bad[h.r.results[i].Source]; {
	case c.w.err != nil:
		return c.w.err
	case problem != "":
		return errors.New(problem)
	}
	h.goOn(ctx, i, step, c.w)
	return nil
}

// goOn notes that the end of the next step of i may be held while step flows,
// and begins the wave after w, if w is the last one.
func (h *holder) goOn(ctx context.Context, i int, step plan.Step, w *wave) {
	h.mu.Lock()
	defer h.mu.Unlock()
	steps := h.r.results[i].Steps
	at := slices.IndexFunc(steps, func(s plan.Step) bool { return s.To != nil && s.To.GUID == step.To.GUID })
	if at >= 0 && at+1 < len(steps) {
		next := *steps[at+1].To
		h.later[next.Name] = append(h.later[next.Name], want{i, next})
		if len(h.later[next.Name]) >= h.expected[next.Name] {
			h.promote(next.Name)
		}
	}
	if w == h.last && len(h.order) > 0 {
		h.start(ctx)
	}
}

// promote has the ends with one name of later steps come next, under mu.
func (h *holder) promote(name string) {
	h.order = append(h.later[name], h.order...)
	delete(h.later, name)
}

// start begins a wave of what comes next, under mu.
func (h *holder) start(ctx context.Context) {
	w := &wave{done: make(chan struct{})}
	for _, o := range h.take() {
		w.in.Hold = append(w.in.Hold, h.r.source(o.i, o.v))
		h.ahead[o.i] = claim{w, o.v.GUID}
		h.holds[o.i] = append(h.holds[o.i], o.v)
	}
	h.last = w
	h.under.Go(func() {
		defer close(w.done)
		w.bad, w.err = h.r.Sender.Protect(ctx, w.in)
	})
}

// take takes from the order what the next wave holds: all that has the name
// of what comes next, since ZFS can hold that at once if no other dataset has
// that name, or else the first few.
func (h *holder) take() []want {
	name := h.order[0].v.Name
	with := make([]want, 0, len(h.order))
	var without []want
	for _, o := range h.order {
		if o.v.Name == name {
			with = append(with, o)
		} else {
			without = append(without, o)
		}
	}
	if len(with) > h.most && (len(with) <= waveSnaps || len(with) >= h.have(name)) {
		h.order = without
		return with
	}
	n := min(len(h.order), h.most)
	with, h.order = h.order[:n:n], h.order[n:]
	h.most = min(waveGrowth*h.most, waveSnaps)
	return with
}

// have counts the datasets that the sender offers and that have a snapshot of
// some name.
func (h *holder) have(name string) int {
	n, counted := h.having[name]
	if counted {
		return n
	}
	count := func(d transfer.Dataset) {
		if slices.ContainsFunc(d.Versions, func(v dataset.Version) bool { return v.Kind == dataset.Snapshot && v.Name == name }) {
			n++
		}
	}
	for _, d := range h.r.view.sources {
		count(d)
	}
	for _, d := range h.r.view.others {
		count(d)
	}
	h.having[name] = n
	return n
}

// arrived says that the end of a step is the settler's from now on.
func (h *holder) arrived(i int, v dataset.Version) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds[i] = slices.DeleteFunc(h.holds[i], func(held dataset.Version) bool { return held.GUID == v.GUID })
}

// finish lets go of what was held ahead of streams that did not come, and
// holds what the receiver has a part of. Where the link is lost, the next look
// finds what there is.
func (h *holder) finish(ctx context.Context) {
	h.under.Wait()
	if ctx.Err() != nil || h.r.lost != nil {
		return
	}
	var in transfer.Holds
	for i := range h.r.results {
		part, broken := h.r.parts[i]
		if broken {
			in.Hold = append(in.Hold, h.r.source(i, part))
		}
		for _, v := range h.holds[i] {
			if !broken || v.GUID != part.GUID {
				in.Release = append(in.Release, h.r.source(i, v))
			}
		}
	}
	if len(in.Hold)+len(in.Release) == 0 {
		return
	}
	bad, err := h.r.Sender.Protect(ctx, in)
	switch {
	case errors.As(err, new(*transfer.LinkError)):
		h.r.lost = err
	case err != nil || len(bad) > 0:
		h.r.untidy = true // what failed is told of already
	}
}
