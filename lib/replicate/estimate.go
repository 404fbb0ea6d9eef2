package replicate

import (
	"context"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// estimate asks how large the streams of this round will be, a batch at a time
// in the order in which they begin, while they flow. No stream waits for it, and
// it fails in nothing: without an answer a size stays unknown. Stop ends it.
func (r *round) estimate(ctx context.Context) (stop func()) {
	if !r.Estimate || r.Tracker == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var under sync.WaitGroup
	order := r.held.inOrder()
	before := map[string]uint64{} // what rounds before this one have brought
	for _, d := range r.Tracker.Snapshot().Datasets {
		before[d.Target] = d.Bytes
	}
	under.Go(func() {
		for len(order) > 0 && ctx.Err() == nil {
			n, asked := 0, []transfer.SendRequest(nil)
			for n < len(order) && (n == 0 || len(asked)+len(r.results[order[n]].Steps) <= transfer.MaxSizes) {
				asked = append(asked, r.requests(order[n])...)
				n++
			}
			sizes, err := r.sizes(ctx, asked)
			if err != nil {
				return
			}
			r.noteSizes(order[:n], sizes, before)
			order = order[n:]
		}
	})
	return func() { cancel(); under.Wait() }
}

// requests are those for all streams of a dataset.
func (r *round) requests(i int) (all []transfer.SendRequest) {
	for _, step := range r.results[i].Steps {
		if step.To != nil {
			all = append(all, r.request(i, step))
		}
	}
	return all
}

// sizes asks for sizes in as many calls as it takes.
func (r *round) sizes(ctx context.Context, in []transfer.SendRequest) (all []uint64, err error) {
	for len(in) > 0 {
		n := min(len(in), transfer.MaxSizes)
		some, err := r.Sender.Sizes(ctx, in[:n])
		if err != nil {
			return nil, err
		}
		all, in = append(all, some...), in[n:]
	}
	return all, nil
}

// noteSizes adds up the sizes of each dataset's streams. One that is not known
// makes the whole unknown.
func (r *round) noteSizes(order []int, sizes []uint64, before map[string]uint64) {
	for _, i := range order {
		p, n, sum := r.results[i], len(r.requests(i)), uint64(0)
		if len(sizes) < n {
			return
		}
		known := true
		for _, size := range sizes[:n] {
			known = known && size > 0
			sum += size
		}
		sizes = sizes[n:]
		if known {
			r.update(p.Target, func(d *progress.Dataset) { d.Size = before[p.Target] + sum })
		}
	}
}

// PlanSizes is Plan with the size of the stream of each step, about; 0: it is
// not known, or the step has none.
func (j *Job) PlanSizes(ctx context.Context) ([]plan.Result, [][]uint64, error) {
	r := &round{Job: j, thorough: j.Unlisted}
	if err := r.survey(ctx); err != nil {
		return nil, nil, err
	}
	r.refuseRenames(r.barred())
	if err := r.showAsides(ctx, time.Now()); err != nil {
		return nil, nil, err
	}
	all := make([][]uint64, len(r.results))
	for i, p := range r.results {
		all[i] = make([]uint64, len(p.Steps))
		sizes, err := r.sizes(ctx, r.requests(i))
		if err != nil {
			return nil, nil, err
		}
		for k, step := range p.Steps {
			if step.To != nil && len(sizes) > 0 {
				all[i][k], sizes = sizes[0], sizes[1:]
			}
		}
	}
	return r.results, all, j.scope(r.view)
}
