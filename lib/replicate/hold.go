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

// waveSnaps is how many snapshots one batch of holds has at most, about. The
// first one is small, since streams wait for it and each hold waits for the
// disk; each that follows has time while the streams of the one before flow.
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
	h := &holder{r: r, ahead: map[int]claim{}, holds: map[int][]dataset.Version{}, most: firstSnaps}
	for i, p := range r.results {
		if len(p.Steps) > 0 && p.Steps[0].To != nil {
			h.order = append(h.order, want{i, *p.Steps[0].To})
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

// goOn has the end of the next step of i held while step flows, and begins the
// wave after w, if w is the last one.
func (h *holder) goOn(ctx context.Context, i int, step plan.Step, w *wave) {
	h.mu.Lock()
	defer h.mu.Unlock()
	steps := h.r.results[i].Steps
	at := slices.IndexFunc(steps, func(s plan.Step) bool { return s.To != nil && s.To.GUID == step.To.GUID })
	if at >= 0 && at+1 < len(steps) {
		h.order = slices.Insert(h.order, 0, want{i, *steps[at+1].To})
	}
	if w == h.last && len(h.order) > 0 {
		h.start(ctx)
	}
}

// start begins a wave of what comes next, under mu.
func (h *holder) start(ctx context.Context) {
	w := &wave{done: make(chan struct{})}
	n := min(len(h.order), h.most)
	for _, o := range h.order[:n] {
		w.in.Hold = append(w.in.Hold, h.r.source(o.i, o.v))
		h.ahead[o.i] = claim{w, o.v.GUID}
		h.holds[o.i] = append(h.holds[o.i], o.v)
	}
	h.order = h.order[n:]
	h.last, h.most = w, min(waveGrowth*h.most, waveSnaps)
	h.under.Go(func() {
		defer close(w.done)
		w.bad, w.err = h.r.Sender.Protect(ctx, w.in)
	})
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
