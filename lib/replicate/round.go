package replicate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// round is one look at both ends and all that follows from it. A link that is
// lost, and a partial receive that turns out to be of no use, end a dataset's
// part in a round and make another round necessary.
type round struct {
	*Job
	thorough bool

	view    *view
	results []plan.Result
	held    *holder
	settled *settler

	mu     sync.Mutex
	wake   *sync.Cond
	queue  *plan.Queue
	busy   int
	moved  bool  // something was done
	tidied bool  // what earlier runs left was dealt with
	again  bool  // look again, at once
	failed bool  // something is left undone
	lost   error // the link was lost
}

func (r *round) run(ctx context.Context) error {
	var err error
	if r.view, err = r.look(ctx, r.thorough); err != nil {
		return err
	}
	if r.results, err = r.plan(ctx, r.view); err != nil {
		return err
	}
	r.report()
	if r.thorough {
		if err := r.tidy(ctx); err != nil {
			return err
		}
	}
	r.tidied = true
	r.discard(ctx)
	for i := range r.results {
		r.results[i].Steps = split(r.results[i].Steps)
	}
	r.wake = sync.NewCond(&r.mu)
	r.queue = plan.NewQueue(r.results)
	r.held = newHolder(r)
	r.settled = newSettler(r)
	stop := context.AfterFunc(ctx, func() { r.mu.Lock(); r.wake.Broadcast(); r.mu.Unlock() })
	defer stop()
	var wg sync.WaitGroup
	for range max(r.Parallel, 1) {
		wg.Go(func() { r.work(ctx) })
	}
	wg.Wait()
	r.settled.finish()
	return nil
}

// maxChain is how many snapshots one stream brings at most: each of them is
// held while it is on its way.
const maxChain = 100

// split cuts long chains of snapshots into several steps.
func split(steps []plan.Step) []plan.Step {
	var out []plan.Step
	for _, s := range steps {
		for len(s.Brings) > maxChain {
			part := s
			part.Brings, part.To = s.Brings[:maxChain], &s.Brings[maxChain-1]
			out = append(out, part)
			s.From, s.Brings = part.To, s.Brings[maxChain:]
		}
		out = append(out, s)
	}
	return out
}

// report writes the plan into the tracker.
func (r *round) report() {
	for _, p := range r.results {
		r.update(p.Target, func(d *progress.Dataset) {
			d.Source, d.Steps, d.Behind = p.Source, d.Done+len(p.Steps), 0
			d.State, d.Reason, d.Error = progress.Waiting, "", ""
			if p.Base != nil {
				d.To = p.Base.Sender.Name
			}
			for _, s := range p.Steps {
				d.Behind += len(s.Brings)
			}
			switch {
			case p.Conflict != nil && p.Conflict.Reason.Failure():
				d.State, d.Reason, d.Error = progress.Failed, string(p.Conflict.Reason), p.Conflict.Text
			case p.Conflict != nil:
				d.State, d.Reason = progress.UpToDate, string(p.Conflict.Reason)
			case len(p.Steps) == 0 && d.Done > 0:
				d.State = progress.Done
			case len(p.Steps) == 0:
				d.State = progress.UpToDate
			}
		})
		if p.Conflict != nil && p.Conflict.Reason.Failure() {
			r.failed = true
		}
	}
}

// discard throws away partial receives that are of no use. What then is to be
// done is seen in the next round.
func (r *round) discard(ctx context.Context) {
	for i := range r.results {
		p := &r.results[i]
		if p.Discard == "" || p.Conflict != nil {
			continue
		}
		r.say(fmt.Sprintf("throwing away the partial receive of %q: %s", p.Target, p.Discard))
		if err := r.Receiver.Abort(ctx, transfer.Name{Dataset: p.Target}); err != nil {
			r.fail(i, fmt.Errorf("cannot throw away the partial receive: %w", err))
		} else {
			r.again = true
		}
		p.Steps = nil
	}
}

// work takes one step after the other until none is left.
func (r *round) work(ctx context.Context) {
	for {
		i, step, ok := r.next(ctx)
		if !ok {
			return
		}
		err := r.step(ctx, i, step)
		r.done(ctx, i, step, err)
	}
}

func (r *round) next(ctx context.Context) (int, plan.Step, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if ctx.Err() != nil || r.lost != nil {
			return 0, plan.Step{}, false
		}
		if i, ok := r.queue.Next(); ok {
			r.busy++
			return i, r.queue.Step(i), true
		}
		if r.busy == 0 {
			return 0, plan.Step{}, false
		}
		r.wake.Wait()
	}
}

func (r *round) done(ctx context.Context, i int, step plan.Step, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.wake.Broadcast()
	r.busy--
	var link *transfer.LinkError
	switch {
	case err == nil:
		r.moved = true
		r.finished(i, step)
		r.queue.Done(i)
		return
	case ctx.Err() != nil:
	case errors.As(err, &link):
		if r.lost == nil {
			r.lost = err
		}
	case errors.Is(err, errAgain):
		r.again = true
	default:
		r.blame(i, err)
		for _, below := range r.queue.Fail(i) {
			r.blame(below, fmt.Errorf("%q above it failed", r.results[i].Target))
			r.update(r.results[below].Target, func(d *progress.Dataset) { d.Reason = string(plan.ParentFailed) })
		}
		return
	}
	r.queue.Fail(i)
}

func (r *round) finished(i int, step plan.Step) {
	r.update(r.results[i].Target, func(d *progress.Dataset) {
		d.Done++
		d.Behind = max(d.Behind-len(step.Brings), 0)
		if step.To != nil {
			d.To = step.To.Name
		}
		d.State = progress.Waiting
		if d.Done >= d.Steps {
			d.State = progress.Done
		}
	})
}

// fail is blame for those who do not hold the lock.
func (r *round) fail(i int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blame(i, err)
}

func (r *round) blame(i int, err error) {
	r.failed = true
	r.update(r.results[i].Target, func(d *progress.Dataset) {
		d.State, d.Error = progress.Failed, err.Error()
	})
}

// errAgain says that a dataset has to be looked at again.
var errAgain = errors.New("look again")

// step carries out one step of dataset i.
func (r *round) step(ctx context.Context, i int, step plan.Step) error {
	p := &r.results[i]
	if step.Kind == plan.Placeholder {
		return r.Receiver.Placeholder(ctx, transfer.Placeholder{Dataset: p.Target, Plain: step.EncryptionOff})
	}
	if err := r.held.ensure(ctx, i, step); err != nil {
		return err
	}
	r.update(p.Target, func(d *progress.Dataset) { d.State = progress.Sending })
	err := r.stream(ctx, i, step)
	if err == nil {
		r.settled.add(ctx, i, step)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.afterFailure(ctx, i, step, err)
}

// afterFailure looks at what is there: zfs receive may have completed though
// something else failed, and a partial receive may be of no use. Where there
// was no more space it is of use, once there is.
func (r *round) afterFailure(ctx context.Context, i int, step plan.Step, err error) error {
	to := r.target(i, *step.To)
	bad, cerr := r.Receiver.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{to}, Confirm: true})
	var link *transfer.LinkError
	switch {
	case cerr == nil && len(bad) == 0:
		r.settled.add(ctx, i, step)
		return nil
	case errors.As(err, &link):
		return err
	case step.Kind == plan.Resume && !transfer.Full(err):
		r.say(fmt.Sprintf("cannot resume the receive of %q, starting it again: %v", to.Dataset, err))
		if aerr := r.Receiver.Abort(ctx, transfer.Name{Dataset: to.Dataset}); aerr == nil {
			return errAgain
		}
	}
	return err
}

// worthwhile is how much of a stream that was cut counts as progress: a link
// that brings so much each time may be lost as often as it likes.
const worthwhile = 16 << 20

// stream moves one stream from one end to the other.
func (r *round) stream(ctx context.Context, i int, step plan.Step) error {
	p := &r.results[i]
	source := r.view.sources[p.Source]
	in := transfer.SendRequest{Dataset: p.Source, To: *step.To, Chained: step.Compound(), Send: source.Send}
	if step.From != nil {
		in.From = *step.From
	}
	if step.Kind == plan.Resume {
		in.Token = r.view.targets[p.Target].Partial.Token
		in.Chained = false
	}
	stream, err := r.Sender.Send(ctx, in)
	if err != nil {
		return err
	}
	out := transfer.ReceiveRequest{Dataset: p.Target, Volume: source.Volume, From: in.From.GUID, To: in.To.GUID,
		Name: in.To.Name, Chained: in.Chained, Resume: in.Token != "", Over: step.Force, Send: source.Send, Source: p.Source}
	var before uint64
	got, err := r.Receiver.Receive(ctx, out, stream, func(bytes uint64) {
		r.update(p.Target, func(d *progress.Dataset) { d.Bytes += bytes - before })
		before = bytes
	})
	if got.Bytes >= worthwhile {
		r.mu.Lock()
		r.moved = true
		r.mu.Unlock()
	}
	if got.Bytes > before {
		r.update(p.Target, func(d *progress.Dataset) { d.Bytes += got.Bytes - before })
	}
	return err
}

func (r *round) target(i int, v dataset.Version) transfer.Snap {
	return transfer.Snap{Dataset: r.results[i].Target, Name: v.Name, GUID: v.GUID}
}

func (r *round) source(i int, v dataset.Version) transfer.Snap {
	return transfer.Snap{Dataset: r.results[i].Source, Name: v.Name, GUID: v.GUID}
}
