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
	ahead map[claim]*wave
	holds map[int][]dataset.Version
	last  *wave
	order []want // what no wave has yet, in the order of the queue
	most  int    // how many snapshots the next wave has, about
	under sync.WaitGroup

	next   map[int]int        // by dataset, the first of its steps that no wave has
	begun  map[int]int        // and the one behind the one under way
	later  map[string][]place // steps but the first, by the names of their ends
	having map[string]int     // how many of the sender's datasets have a snapshot of that name
}

// place is the k-th step of dataset i.
type place struct{ i, k int }

// want is the end of a step of dataset i.
type want struct {
	i int
	v dataset.Version
}

// claim is a snapshot of dataset i in a wave.
type claim struct {
	i    int
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
	h := &holder{r: r, ahead: map[claim]*wave{}, holds: map[int][]dataset.Version{}, most: firstSnaps,
		next: map[int]int{}, begun: map[int]int{}, later: map[string][]place{}, having: map[string]int{}}
	for i, p := range r.results {
		if len(p.Steps) > 0 && p.Steps[0].To != nil {
			h.order = append(h.order, want{i, *p.Steps[0].To})
		}
		for k, s := range p.Steps {
			if k > 0 && s.To != nil {
				h.later[s.To.Name] = append(h.later[s.To.Name], place{i, k})
			}
		}
	}
	slices.SortStableFunc(h.order, func(a, b want) int {
		return cmp.Compare(first(r.results[a.i].Steps), first(r.results[b.i].Steps))
	})
	return h
}

// inOrder are the datasets that get streams, as the holds go.
func (h *holder) inOrder() (all []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.order {
		all = append(all, w.i)
	}
	return all
}

func first(steps []plan.Step) uint64 {
	if len(steps[0].Brings) == 0 {
		return 0
	}
	return steps[0].Brings[0].CreateTXG
}

// begin notes that step is what is done next of i.
func (h *holder) begin(i int, step plan.Step) {
	if step.To != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.begun[i] = h.index(i, step.To.GUID) + 1
	}
}

// ensure returns when the end of step is held.
func (h *holder) ensure(ctx context.Context, i int, step plan.Step) error {
	h.mu.Lock()
	c := claim{i, step.To.GUID}
	if h.ahead[c] == nil {
		h.start(ctx, h.with(want{i, *step.To}))
	}
	w := h.ahead[c]
	h.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := cmp.Or(w.err, w.bad[h.r.results[i].Source].Err()); err != nil {
		return err
	}
	h.goOn(ctx, i, step, w)
	return nil
}

// goOn has the end of the next step of i held while step flows, if all that has
// its name can be held with it, and begins the wave after w, if w is the last
// one.
func (h *holder) goOn(ctx context.Context, i int, step plan.Step, w *wave) {
	h.mu.Lock()
	defer h.mu.Unlock()
	steps := h.r.results[i].Steps
	if k := h.index(i, step.To.GUID) + 1; k > 0 && k < len(steps) && h.next[i] == k {
		name := steps[k].To.Name
		if group := h.follow(name); len(group) == len(h.later[name]) {
			h.start(ctx, group)
			return
		}
	}
	if w == h.last && len(h.order) > 0 {
		h.start(ctx, h.with(h.order[0]))
	}
}

// index is which of the steps of i ends with a snapshot; -1: none.
func (h *holder) index(i int, end dataset.GUID) int {
	return slices.IndexFunc(h.r.results[i].Steps, func(s plan.Step) bool { return s.To != nil && s.To.GUID == end })
}

// follow are the ends with one name of later steps, of datasets whose step
// before is under way or done: at most one hold is ahead of it.
func (h *holder) follow(name string) (group []want) {
	for _, p := range h.later[name] {
		if h.next[p.i] == p.k && h.begun[p.i] >= p.k {
			group = append(group, want{p.i, *h.r.results[p.i].Steps[p.k].To})
		}
	}
	return group
}

// with is what the next wave holds if w is to be in it: all that has its name,
// since ZFS can hold that at once if no other dataset has such a snapshot, or
// else what comes next in the order.
func (h *holder) with(w want) []want {
	group := []want{w}
	for _, o := range slices.Concat(h.order, h.follow(w.v.Name)) {
		if o.i != w.i && o.v.Name == w.v.Name {
			group = append(group, o)
		}
	}
	if len(group) > 1 && (len(group) <= waveSnaps || len(group) >= h.have(w.v.Name)) {
		return group
	}
	group = group[:1]
	for _, o := range h.order[:min(len(h.order), h.most)] {
		if o.i != w.i && len(group) < h.most {
			group = append(group, o)
		}
	}
	h.most = min(waveGrowth*h.most, waveSnaps)
	return group
}

// start begins a wave, under mu.
func (h *holder) start(ctx context.Context, group []want) {
	w := &wave{done: make(chan struct{}), in: transfer.Holds{Together: len(group) >= h.have(group[0].v.Name)}}
	for _, o := range group {
		w.in.Hold = append(w.in.Hold, h.r.source(o.i, o.v))
		h.ahead[claim{o.i, o.v.GUID}] = w
		h.holds[o.i] = append(h.holds[o.i], o.v)
		h.next[o.i] = h.index(o.i, o.v.GUID) + 1
	}
	h.order = slices.DeleteFunc(h.order, func(o want) bool { return h.next[o.i] > 0 })
	h.last = w
	h.under.Go(func() {
		defer close(w.done)
		w.bad, w.err = h.r.Sender.Protect(ctx, w.in)
	})
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
// holds what the receiver has a part of. Where the link is lost, or nobody could
// look at what a stream brought, the next look finds what there is.
func (h *holder) finish(ctx context.Context) {
	h.under.Wait()
	if ctx.Err() != nil || h.r.lost != nil {
		return
	}
	var in transfer.Holds
	for i := range h.r.results {
		if h.r.unseen[i] {
			continue
		}
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
	in = h.r.spare(in)
	if len(in.Hold)+len(in.Release) == 0 {
		return
	}
	in.Together = true
	bad, err := h.r.Sender.Protect(ctx, in)
	switch {
	case errors.As(err, new(*transfer.LinkError)):
		h.r.lost = err
	case err != nil || len(bad) > 0:
		h.r.untidy = true // what failed is told of already
	}
}
