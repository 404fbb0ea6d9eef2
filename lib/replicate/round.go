package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
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
	fresh    bool             // what was known of snapshots turned out to be wrong, or has changed
	spoiled  map[string]error // by target: what went wrong in this run for good

	cramped map[string]bool // targets that had no room

	view    *view
	results []plan.Result
	goes    map[string]time.Time  // when copies go whose sources are gone, by target
	awaited map[dataset.GUID]bool // see findAwaited
	held    *holder
	settled *settler

	renaming  []rename         // copies that are to follow their sources
	unrenamed map[string]error // of this run, by the copy
	asided    map[string]error // what this run has set aside, or could not

	mu      sync.Mutex
	wake    *sync.Cond
	queue   *plan.Queue
	busy    int
	moved   bool          // something was done that was due
	tidied  bool          // what earlier runs left was dealt with
	again   map[int]error // what to look at again, at once, and why
	failed  bool          // something is left undone
	blamed  map[int]bool
	refused map[string]bool         // targets of datasets that cannot go on
	parts   map[int]dataset.Version // of which the receiver has a part that can go on
	unseen  map[int]bool            // it is unknown what their last stream brought
	left    Unreleased              // what is held although it need not be, and is known
	untidy  bool                    // something may be held that need not be
	lost    error                   // the link was lost
	others  error                   // what is no dataset's own fault, or of one that no longer takes part
}

func (r *round) run(ctx context.Context) error {
	if err := r.surveyRenamed(ctx); err != nil {
		return err
	}
	if err := r.vanish(ctx); err != nil {
		return err
	}
	r.noteCovered(r.view, r.results)
	r.due.begin(r.results)
	r.report()
	if !r.scoped {
		r.sayNoneChosen()
	}
	r.others = r.scope(r.view)
	if err := r.protect(ctx); err != nil {
		return err
	}
	r.tidied = true
	r.discard(ctx)
	r.waitForOthers()
	r.sayAnew()
	r.sayWhole()
	for i := range r.results {
		r.results[i].Steps = split(r.results[i].Steps)
	}
	r.wake = sync.NewCond(&r.mu)
	r.queue = plan.NewQueue(r.results)
	r.held = newHolder(r)
	r.settled = newSettler(r)
	stop := context.AfterFunc(ctx, func() { r.mu.Lock(); r.wake.Broadcast(); r.mu.Unlock() })
	defer stop()
	stopEstimate := r.estimate(ctx)
	var wg sync.WaitGroup
	for range max(r.Parallel, 1) {
		wg.Go(func() { r.work(ctx) })
	}
	wg.Wait()
	stopEstimate()
	r.settled.finish()
	r.held.finish(ctx)
	r.apply(ctx)
	return nil
}

// survey looks at both ends and plans. A base that the sender does not hold
// says that the cursor is elsewhere: then it looks at all that is held.
func (r *round) survey(ctx context.Context) (err error) {
	for {
		if r.view, err = r.look(ctx, transfer.ListRequest{Thorough: r.thorough, Fresh: r.fresh}); err != nil {
			return err
		}
		if r.results, err = r.plan(ctx, r.view); err != nil {
			return err
		}
		if err = r.findRenames(ctx); err != nil {
			return err
		}
		r.bases.plan(r.results, r.view)
		r.bases.still(r.renaming)
		if here, _ := r.missing(); r.thorough || len(here.Hold)+len(here.Bookmark) == 0 {
			return nil
		}
		r.thorough = true
	}
}

// report writes the plan into the tracker.
func (r *round) report() {
	behind := r.behind()
	r.refused = map[string]bool{}
	for i, p := range r.results {
		if p.Source == "" && r.refused[p.Target] { // a placeholder in the place of what cannot come
			continue
		}
		if p.Conflict != nil && (p.Conflict.Reason.Failure() || p.Conflict.Reason == plan.NoneChosen || p.Conflict.Reason == plan.Vanished) {
			r.refused[p.Target] = true
		}
		r.update(key(&p), func(d *progress.Dataset) {
			d.Source, d.Target, d.Steps, d.Behind = p.Source, p.Target, d.Done+len(p.Steps), behind[p.Target]
			d.State, d.Reason, d.Error, d.Code, d.Goes = progress.Waiting, "", "", "", nil
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
				if goes, ok := r.goes[p.Target]; ok {
					d.Goes = new(progress.At(goes))
				}
			case len(p.Steps) == 0 && d.Done > 0:
				d.State = progress.Done
			case len(p.Steps) == 0:
				d.State = progress.UpToDate
			}
		})
		if p.Conflict != nil && p.Conflict.Reason.Failure() {
			r.failed = true
		} else if err := r.spoiled[p.Target]; err != nil {
			r.fail(i, err)
		}
	}
}

// sayNoneChosen says that the job's rules choose no snapshot at all, where a
// dataset waits for one: no run fails for that, and a slip in the rules would go
// unnoticed.
func (r *round) sayNoneChosen() {
	choice := r.Policy.Choice()
	chosen := func(v dataset.Version) bool { return v.Kind == dataset.Snapshot && choice.Has(v.Name) }
	waits := func(p plan.Result) bool { return p.Conflict != nil && p.Conflict.Reason == plan.NoneChosen }
	if !slices.ContainsFunc(r.results, waits) {
		return
	}
	for _, in := range r.view.inputs {
		if slices.ContainsFunc(in.Sender, chosen) {
			return
		}
	}
	r.say(fmt.Sprintf("the job's rules choose no snapshot of any dataset: names must %s", choice))
}

// behind counts what the datasets lack that do not move, by target.
func (r *round) behind() map[string]int {
	at := map[string]*plan.Input{}
	for i := range r.view.inputs {
		at[r.view.inputs[i].Target] = &r.view.inputs[i]
	}
	behind := map[string]int{}
	for _, p := range r.results {
		if in := at[p.Target]; in != nil && p.Source == in.Source && p.Conflict != nil && p.Conflict.Reason != plan.Illegal {
			behind[p.Target] = plan.Behind(*in, p.Base, r.Policy)
		}
	}
	return behind
}

// discard throws away partial receives that are of no use. What then is to be
// done is seen in the next round.
func (r *round) discard(ctx context.Context) {
	var in transfer.Holds
	for i := range r.results {
		p := &r.results[i]
		if p.Discard == "" || p.Conflict != nil && p.Conflict.Reason.Failure() {
			continue
		}
		r.say(fmt.Sprintf("discarding the partial receive of %q: %s", p.Target, p.Discard))
		err := r.Receiver.Abort(ctx, transfer.Name{Dataset: p.Target})
		if r.stopBelow(p, err != nil); err != nil {
			r.fail(i, fmt.Errorf("cannot discard the partial receive: %w", err))
		} else {
			r.again[i] = fmt.Errorf("discarded the partial receive: %s", p.Discard)
			in.Release = append(in.Release, r.heldPart(i)...)
		}
		p.Steps = nil
	}
	if len(in.Release) == 0 {
		return
	}
	if bad, err := r.Sender.Protect(ctx, in); err != nil || len(bad) > 0 {
		r.leave()
	}
}

// stopBelow takes out of the round what was to come below a partial receive that is
// discarded, with the placeholder in its place: only the next look tells what it
// stood under. Failed reports that it is still there.
func (r *round) stopBelow(part *plan.Result, failed bool) {
	if part.Conflict == nil { // a stream takes its place
		return
	}
	for i := range r.results {
		p := &r.results[i]
		if len(p.Steps) == 0 || !p.Steps[0].Initial() || !dataset.Within(p.Target, part.Target) {
			continue
		}
		if p.Steps = nil; failed && p.Source != "" {
			r.fail(i, fmt.Errorf("%q above it failed", part.Target))
			r.update(p.Target, func(d *progress.Dataset) { d.Reason = string(plan.ParentFailed) })
		}
	}
}

// heldPart is the snapshot that i's partial receive is of, if it is held for that
// alone. Its hold tells that the partial receive is the job's until that is gone.
func (r *round) heldPart(i int) []transfer.Snap {
	p := r.results[i]
	part, source := r.view.targets[p.Target].Partial, r.view.sources[p.Source]
	at := slices.IndexFunc(source.Versions, func(v dataset.Version) bool { return v.GUID == part.To && holds(source, v) })
	switch {
	case at < 0, r.awaited[part.To], p.Base != nil && p.Base.Sender.GUID == part.To:
		return nil
	case len(p.Steps) > 0 && p.Steps[0].To != nil && p.Steps[0].To.GUID == part.To:
		return nil
	}
	return []transfer.Snap{r.source(i, source.Versions[at])}
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
			step := r.queue.Step(i)
			r.held.begin(i, step)
			return i, step, true
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
	var again againError
	switch {
	case err == nil:
		r.moved = r.due.done(r.results[i].Target, step) || r.moved
		r.finished(i, step)
		r.queue.Done(i)
		return
	case ctx.Err() != nil:
	case errors.As(err, &link):
		if r.lost == nil {
			r.lost = err
		}
	case errors.As(err, &again):
		r.again[i] = again.error
	default:
		r.blame(i, err)
		r.noteSpace(i, err)
		for _, below := range r.queue.Fail(i) {
			r.blame(below, r.notAfter(below, i))
			r.update(r.results[below].Target, func(d *progress.Dataset) { d.Reason = string(plan.ParentFailed) })
		}
		return
	}
	r.queue.Fail(i)
}

func (r *round) finished(i int, step plan.Step) {
	if step.Kind == plan.Placeholder && r.refused[r.results[i].Target] {
		return
	}
	r.update(r.results[i].Target, func(d *progress.Dataset) {
		d.Done++
		d.Moved += len(step.Brings)
		d.Behind = max(d.Behind-len(step.Brings), 0)
		if step.To != nil {
			d.To = step.To.Name
		}
		if r.blamed[i] { // before this step, which is no reason not to take it
			d.State = progress.Failed
			return
		}
		d.State = progress.Waiting
		if d.Done >= d.Steps {
			d.State = progress.Done
		}
	})
}

// giveUp makes the reasons to look again the errors that they are when the run
// does not.
func (r *round) giveUp() {
	for i, err := range r.again {
		r.fail(i, err)
	}
}

// spoil is fail for what a later look at the dataset cannot see.
func (r *round) spoil(i int, err error) {
	r.fail(i, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spoiled[r.results[i].Target] = err
	r.untidy = true
}

// leave notes that something may be left held.
func (r *round) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.untidy = true
}

// fail is blame for those who do not hold the lock.
func (r *round) fail(i int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blame(i, err)
}

func (r *round) blame(i int, err error) {
	r.failed = true
	if r.blamed == nil {
		r.blamed = map[int]bool{}
	}
	r.blamed[i] = true
	r.update(r.results[i].Target, func(d *progress.Dataset) {
		d.State, d.Error, d.Code = progress.Failed, err.Error(), string(fault.Of(err))
	})
}
