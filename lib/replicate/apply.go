package replicate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// The limits of one call that applies properties.
const (
	applyDatasets = 200
	applyBytes    = 4 << 20
)

// apply has the receiver deal with the properties that the sender tells, of
// copies whose sender tells something else than last time. A failure is the
// dataset's own.
func (r *round) apply(ctx context.Context) {
	r.sayUntold()
	var batch []transfer.Settings
	at, size := map[string]int{}, 0
	flush := func() {
		if len(batch) > 0 && ctx.Err() == nil && r.lost == nil {
			r.applyBatch(ctx, batch, at)
		}
		batch, at, size = nil, map[string]int{}, 0
	}
	for i := range r.results {
		if !r.untaken(i) {
			continue
		}
		told := r.view.sources[r.results[i].Source].Told
		batch = append(batch, transfer.Settings{Dataset: r.results[i].Target, Told: told})
		at[r.results[i].Target] = i
		for name, value := range told.Set {
			size += len(name) + len(value)
		}
		if len(batch) == applyDatasets || size > applyBytes {
			flush()
		}
	}
	flush()
}

// untaken reports whether the receiver has to look at what is told of i: its
// copy is there, or has just come.
func (r *round) untaken(i int) bool {
	p := r.results[i]
	told := r.view.sources[p.Source].Told
	if told.Sum == "" || p.Conflict != nil && p.Conflict.Reason.Failure() {
		return false
	}
	target, there := r.view.targets[p.Target]
	if there && target.Copy {
		return target.Settled != told.Sum && target.Settled != transfer.NothingTaken
	}
	came := len(p.Steps) > 0 && p.Steps[len(p.Steps)-1].Kind != plan.Placeholder
	return came && r.view.takes.Properties && r.arrived(i)
}

func (r *round) arrived(i int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, again := r.again[i]
	return !r.blamed[i] && !again
}

func (r *round) applyBatch(ctx context.Context, batch []transfer.Settings, at map[string]int) {
	done, err := r.Receiver.Apply(ctx, batch)
	var link *transfer.LinkError
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &link):
		r.mu.Lock()
		r.lost = err
		r.mu.Unlock()
	case err != nil:
		for _, s := range batch {
			r.spoil(at[s.Dataset], fmt.Errorf("cannot take its properties: %w", err))
		}
	}
	for ds, problem := range done.Problems {
		if i, ok := at[ds]; ok {
			r.spoil(i, problem.Err())
		}
	}
	for _, ds := range slices.Sorted(maps.Keys(done.Left)) {
		r.say(fmt.Sprintf("left as they were set at %q, and not taken from the sender: %q", ds, done.Left[ds]))
	}
}

// takesAny reports whether the receiver takes properties, as far as it is
// known.
func (r *round) takesAny() bool {
	if r.view.takes.Properties {
		return true
	}
	for _, t := range r.view.targets {
		if t.Copy && !t.Above && t.Settled != transfer.NothingTaken {
			return true
		}
	}
	return false
}

// maxUntold is how many properties that could not be told are named in a run:
// the sender decides how many there are.
const maxUntold = 20

// sayUntold says once in a run which properties the sender could not tell.
func (r *round) sayUntold() {
	if r.told || !r.takesAny() {
		return
	}
	r.told = true
	count, first := map[string]int{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(r.view.sources)) {
		for _, p := range r.view.sources[name].Told.Untold {
			if count[p]++; count[p] == 1 {
				first[p] = name
			}
		}
	}
	for i, p := range slices.Sorted(maps.Keys(count)) {
		if i == maxUntold {
			r.say(fmt.Sprintf("%d more properties are left out", len(count)-i))
			return
		}
		more := ""
		if n := count[p] - 1; n > 0 {
			more = fmt.Sprintf(" (and of %d more)", n)
		}
		r.say(fmt.Sprintf("property %q of %q%s is left out: its value has a line break or is too long", p, first[p], more))
	}
}
