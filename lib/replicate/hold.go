package replicate

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// waveSnaps is how many snapshots one batch of holds has, about.
const waveSnaps = 128

// holder has the sender hold what is about to be sent, a wave of datasets at
// a time, and the next wave while streams of the last one flow.
type holder struct {
	r     *round
	mu    sync.Mutex
	wave  map[int]*wave // by dataset
	order []int         // datasets that no wave has yet, in the order of the queue
}

// wave is one batch. Done is closed when it is over.
type wave struct {
	done chan struct{}
	err  error
	bad  transfer.Problems
	held map[int]int // how many of a dataset's snapshots
}

func newHolder(r *round) *holder {
	h := &holder{r: r, wave: map[int]*wave{}}
	for i, p := range r.results {
		if len(p.Steps) > 0 && p.Source != "" {
			h.order = append(h.order, i)
		}
	}
	slices.SortStableFunc(h.order, func(a, b int) int {
		return int(int64(first(r.results[a].Steps)) - int64(first(r.results[b].Steps)))
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
		w = h.start(ctx, i, end)
	}
	h.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch problem := w.bad[h.r.results[i].Source]; {
	case w.err != nil:
		return w.err
	case problem != "":
		return errors.New(problem)
	}
	return nil
}

// start begins the wave of dataset i, up to its snapshot number end, and of
// those that come next.
func (h *holder) start(ctx context.Context, i, end int) *wave {
	w := &wave{done: make(chan struct{}), held: map[int]int{}}
	var in transfer.Holds
	add := func(i, end int) {
		from := 0
		if old := h.wave[i]; old != nil {
			from = old.held[i]
		} else if base := h.r.results[i].Base; base != nil && base.Sender.Kind == dataset.Snapshot {
			in.Hold = append(in.Hold, h.r.source(i, base.Sender))
		}
		all := brings(h.r.results[i].Steps)
		end = max(end, min(len(all), from+maxChain))
		for _, v := range all[from:end] {
			in.Hold = append(in.Hold, h.r.source(i, v))
		}
		h.wave[i], w.held[i] = w, end
	}
	add(i, end)
	h.order = slices.DeleteFunc(h.order, func(o int) bool { return o == i })
	for len(h.order) > 0 && len(in.Hold) < waveSnaps {
		add(h.order[0], 1)
		h.order = h.order[1:]
	}
	go func() {
		defer close(w.done)
		w.bad, w.err = h.r.Sender.Protect(ctx, in)
	}()
	return w
}
