package replicate

import (
	"context"
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// spaceError says that a target has no room for a stream.
type spaceError struct{ error }

func (e spaceError) Unwrap() error { return e.error }

// noRoom judges a stream that failed for space. What has arrived stays if the
// rest would fit by now. If it would not, it only keeps the space from others:
// it goes, those go first, and then it is planned again.
func (r *round) noRoom(ctx context.Context, i int, step plan.Step, err error, there transfer.Dataset) error {
	part := there.Partial
	need, have, known := r.room(ctx, i, step, part)
	if known {
		err = fmt.Errorf("%w: %s", err, lack(need, have))
	}
	fits := known && need <= have
	if part == nil || fits || !known && step.Kind != plan.Resume {
		return spaceError{err}
	}
	target := r.results[i].Target
	r.mu.Lock()
	_, ours := r.parts[i]
	before := r.cramped[target]
	r.cramped[target] = true
	r.mu.Unlock()
	if !ours && step.Kind != plan.Resume {
		return spaceError{err}
	}
	again := r.abort(ctx, i, err)
	if !errors.As(again, new(againError)) || before {
		return spaceError{err}
	}
	return again
}

// lack says how much of a stream is to come, and for how much there is room.
func lack(need, have uint64) string {
	return fmt.Sprintf("about %s are to come, and the target has room for %s", amount(need), amount(have))
}

// amount is a number of bytes for a person.
func amount(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, 0
	for ; f >= 1024 && unit < len("KMGTPE")-1; unit++ {
		f /= 1024
	}
	return fmt.Sprintf("%.4g %ciB", f, "KMGTPE"[unit])
}

// room asks how many bytes of a stream are to come, and for how many the
// target has room.
func (r *round) room(ctx context.Context, i int, step plan.Step, part *transfer.Partial) (need, have uint64, known bool) {
	p := r.results[i]
	in := r.request(i, step)
	if part != nil && step.To != nil && has(step.Brings, part.To) {
		in = transfer.SendRequest{Dataset: p.Source, To: *step.To, Volume: in.Volume, Send: in.Send, Token: part.Token}
	}
	need, err := r.Sender.Size(ctx, in)
	if err != nil {
		return 0, 0, false
	}
	for name := p.Target; name != ""; name = dataset.Parent(name) {
		if d, err := r.lookAt(ctx, name); err == nil && d.Name != "" {
			return need, d.Available, true
		}
		if d, ok := r.view.targets[name]; ok {
			return need, d.Available, true
		}
	}
	return 0, 0, false
}

// waitForOthers takes datasets that had no room out of this round, with what
// stands below them, while others have something to do.
func (r *round) waitForOthers() {
	var late []int
	others := false
	for i, p := range r.results {
		if len(p.Steps) == 0 {
			continue
		}
		if r.below(p.Target) {
			late = append(late, i)
		} else {
			others = true
		}
	}
	if !others {
		return
	}
	for _, i := range late {
		r.results[i].Steps = nil
		r.again[i] = errors.New("it had no room, and waits for the others")
	}
}

func (r *round) below(target string) bool {
	for name := target; name != ""; name = dataset.Parent(name) {
		if r.cramped[name] {
			return true
		}
	}
	return false
}

// checkRoom refuses a stream for which its target had no room before, and has
// none now.
func (r *round) checkRoom(ctx context.Context, i int, step plan.Step) error {
	r.mu.Lock()
	cramped := r.cramped[r.results[i].Target]
	r.mu.Unlock()
	if !cramped || step.Kind == plan.Resume {
		return nil
	}
	if need, have, known := r.room(ctx, i, step, nil); known && need > have {
		return spaceError{errors.New(lack(need, have))}
	}
	return nil
}

// noteSpace writes the reason of a failure for space.
func (r *round) noteSpace(i int, err error) {
	if errors.As(err, new(spaceError)) {
		r.update(r.results[i].Target, func(d *progress.Dataset) { d.Reason = string(plan.NoSpace) })
	}
}
