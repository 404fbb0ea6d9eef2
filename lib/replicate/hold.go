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

// holder has the sender hold what is about to be sent, a wave of datasets at
// a time, and the next wave while streams of the last one flow.
type holder struct {
	r     *round
	mu    sync.Mutex
	wave  map[int]*wave // by dataset
	last  *wave
	order []int // datasets that no wave has yet, in the order of the queue
	most  int   // how many snapshots the next wave has, about
	under sync.WaitGroup
}

// wave is one batch. Done is closed when it is over.
type wave struct {
	done chan struct{}
	err  error
	bad  transfer.Problems
	in   transfer.Holds
	held map[int]int // how many of a dataset's snapshots
}

func newHolder(r *round) *holder {
	h := &holder{r: r, wave: map[int]*wave{}, most: firstSnaps}
	for i, p := range r.results {
		if len(p.Steps) > 0 && p.Source != "" {
			h.order = append(h.order, i)
		}
	}
	slices.SortStableFunc(h.order, func(a, b int) int {
		return cmp.Compare(first(r.results[a].Steps), first(r.results[b].Steps))
	})
	return h
}

func first(steps []plan.Step) uint64 {
	if len(steps[0].Brings) == 0 {
		return 0
	}
	return steps[0].Brings[0].CreateTXG
}

// brings are all snapshots that steps bring, in order.
func brings(steps []plan.Step) (all []dataset.Version) {
	for _, s := range steps {
		all = append(all, s.Brings...)
	}
	return all
}

// ensure returns when everything that step brings is held.
func (h *holder) ensure(ctx context.Context, i int, step plan.Step) error {
	all := brings(h.r.results[i].Steps)
	end := slices.IndexFunc(all, func(v dataset.Version) bool { return v.GUID == step.To.GUID }) + 1
	h.mu.Lock()
	w := h.wave[i]
	if w == nil || w.held[i] < end {
		w = h.lead(ctx, i, end)
	}
	h.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	h.ahead(ctx, w)
	switch problem := w.bad[h.r.results[i].Source]; {
	case w.err != nil:
		return w.err
	case problem != "":
		return errors.New(problem)
	}
	return nil
}

// lead begins the wave of dataset i, up to its snapshot number end, and of
// those that come next.
func (h *holder) lead(ctx context.Context, i, end int) *wave {
	w := &wave{done: make(chan struct{}), held: map[int]int{}}
	h.add(w, i, end)
	h.order = slices.DeleteFunc(h.order, func(o int) bool { return o == i })
	h.start(ctx, w)
	return w
}

// ahead begins the wave after w, if w is the last one.
func (h *holder) ahead(ctx context.Context, w *wave) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w == h.last && len(h.order) > 0 {
		h.start(ctx, &wave{done: make(chan struct{}), held: map[int]int{}})
	}
}

// start fills a wave up and has it carried out.
func (h *holder) start(ctx context.Context, w *wave) {
	for len(h.order) > 0 && len(w.in.Hold) < h.most {
		h.add(w, h.order[0], 1)
		h.order = h.order[1:]
	}
	h.last, h.most = w, min(waveGrowth*h.most, waveSnaps)
	h.under.Go(func() {
		defer close(w.done)
		w.bad, w.err = h.r.Sender.Protect(ctx, w.in)
	})
}

// finish returns when no wave is under way, which one that nobody needs any
// more may be.
func (h *holder) finish() { h.under.Wait() }

// add has a wave hold what dataset i starts from and its snapshots up to
// number end, as far as no wave does.
func (h *holder) add(w *wave, i, end int) {
	from := 0
	if old := h.wave[i]; old != nil {
		from = old.held[i]
	} else if base := h.r.results[i].Base; base != nil && base.Sender.Kind == dataset.Snapshot {
		w.in.Hold = append(w.in.Hold, h.r.source(i, base.Sender))
	}
	all := brings(h.r.results[i].Steps)
	end = max(end, min(len(all), from+maxChain))
	for _, v := range all[from:end] {
		w.in.Hold = append(w.in.Hold, h.r.source(i, v))
	}
	h.wave[i], w.held[i] = w, end
}
