package replicate

import (
	"context"
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// againError says why a dataset has to be looked at again.
type againError struct{ error }

// step carries out one step of dataset i.
func (r *round) step(ctx context.Context, i int, step plan.Step) error {
	p := &r.results[i]
	if step.Kind == plan.Placeholder {
		return r.Receiver.Placeholder(ctx, transfer.Placeholder{Dataset: p.Target, Plain: step.EncryptionOff})
	}
	switch err := r.held.ensure(ctx, i, step); {
	case err == nil:
	case errors.Is(err, fault.Gone):
		// Others prune, too, and ZFS cannot list and hold at once. A sender that
		// lies costs at most maxLooks more looks.
		return againError{err}
	default:
		return err
	}
	if err := r.checkRoom(ctx, i, step); err != nil {
		return err
	}
	r.update(p.Target, func(d *progress.Dataset) { d.State = progress.Sending })
	err := r.stream(ctx, i, step)
	if err == nil {
		r.settle(ctx, i, step)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.afterFailure(ctx, i, step, err)
}

// settle has the end of a step settled.
func (r *round) settle(ctx context.Context, i int, step plan.Step) {
	r.held.arrived(i, *step.To)
	r.settled.add(ctx, i, step, false)
}

// afterFailure looks at what is there: zfs receive may have completed though
// something else failed, or a part of a chain.
func (r *round) afterFailure(ctx context.Context, i int, step plan.Step, err error) error {
	there, lerr := r.lookAt(ctx, r.results[i].Target)
	if lerr != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.unseen == nil {
			r.unseen = map[int]bool{}
		}
		r.unseen[i], r.untidy = true, true
		return err
	}
	if n := came(step, there); n == len(step.Brings) {
		r.settle(ctx, i, step)
		return nil
	} else if n > 0 {
		part := step
		part.Brings, part.To = step.Brings[:n], &step.Brings[n-1]
		r.settled.add(ctx, i, part, true)
	}
	part := there.Partial
	if part != nil {
		r.keepPart(i, step, part.To)
	}
	switch {
	case errors.As(err, new(*transfer.LinkError)):
		return err
	case errors.Is(err, fault.NoSpace): // a receiver's word about itself: no sender's error has this kind
		return r.noRoom(ctx, i, step, err, there)
	case step.Origin != "" && part == nil && errors.Is(err, fault.Gone): // another plan may do without
		return againError{err}
	case r.Policy.Once && part == nil: // the stream has passed
		return err
	case step.Kind == plan.Resume && part == nil:
		return againError{err}
	case step.Kind == plan.Resume && !r.Policy.Once && (errors.Is(err, fault.DeadToken) || errors.Is(err, fault.Refused)):
		// Only the sender can know it. If it lies, what is lost came from it.
		return r.abort(ctx, i, err)
	case part != nil:
		return fmt.Errorf("%w (what has arrived is kept, and the next run resumes it)", err)
	}
	return err
}

// abort throws a partial receive of this job's own away.
func (r *round) abort(ctx context.Context, i int, why error) error {
	target := r.results[i].Target
	r.say(fmt.Sprintf("cannot resume the receive of %q, starting it again: %v", target, why))
	if err := r.Receiver.Abort(ctx, transfer.Name{Dataset: target}); err != nil {
		return fmt.Errorf("%w; and cannot discard the partial receive: %w", why, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.parts, i)
	return againError{why}
}

// lookAt reads one target.
func (r *round) lookAt(ctx context.Context, target string) (transfer.Dataset, error) {
	list, err := r.Receiver.List(ctx, transfer.ListRequest{Datasets: []string{target}})
	if err != nil {
		return transfer.Dataset{}, err
	}
	for _, d := range list {
		if d.Name == target && !d.Above {
			return d, nil
		}
	}
	return transfer.Dataset{}, nil
}

// came counts how many snapshots of a step are there.
func came(step plan.Step, there transfer.Dataset) int {
	for n := len(step.Brings); n > 0; n-- {
		if has(there.Versions, step.Brings[n-1].GUID) {
			return n
		}
	}
	return 0
}

// keepPart notes that the receiver has a part of a snapshot, which the sender
// is to hold so that the part can go on.
func (r *round) keepPart(i int, step plan.Step, to dataset.GUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range step.Brings {
		if v.GUID == to {
			if r.parts == nil {
				r.parts = map[int]dataset.Version{}
			}
			r.parts[i] = v
		}
	}
}

// worthwhile is how much of a stream that was cut counts as progress: a link
// that brings so much each time may be lost as often as it likes.
const worthwhile = 16 << 20

// stream moves one stream from one end to the other.
func (r *round) stream(ctx context.Context, i int, step plan.Step) error {
	p := &r.results[i]
	source := r.view.sources[p.Source]
	in := r.request(i, step)
	stream, err := r.Sender.Send(ctx, in)
	if err != nil {
		return err
	}
	out := transfer.ReceiveRequest{Dataset: p.Target, Volume: source.Volume, From: in.From.GUID, To: in.To.GUID,
		Name: in.To.Name, Via: in.Via, Resume: in.Token != "", Over: step.Force, Send: source.Send, Origin: shares(step)}
	if out.First() {
		out.Told = source.Told
	}
	var before uint64
	var saved int64
	save := func(d *progress.Dataset) {
		now := stream.Saved.Load()
		d.Saved += now - saved
		saved = now
	}
	got, err := r.Receiver.Receive(ctx, out, stream, func(bytes uint64) {
		r.update(p.Target, func(d *progress.Dataset) { d.Bytes += bytes - before; save(d) })
		before = bytes
	})
	if got.Bytes >= worthwhile {
		r.mu.Lock()
		r.moved = r.due.cut(p.Target, r.had(p.Target)) || r.moved
		r.mu.Unlock()
	}
	if got.Unset != "" {
		r.spoil(i, fmt.Errorf("received, but not all its properties could be set: %s", got.Unset))
	}
	r.update(p.Target, func(d *progress.Dataset) {
		d.Bytes += max(got.Bytes, before) - before
		save(d)
	})
	return err
}

// had is how much of a stream the receiver had when this round began.
func (r *round) had(target string) uint64 {
	if part := r.view.targets[target].Partial; part != nil {
		return part.Bytes
	}
	return 0
}

// request is what a step asks the sender for.
func (r *round) request(i int, step plan.Step) transfer.SendRequest {
	p := r.results[i]
	source := r.view.sources[p.Source]
	in := transfer.SendRequest{Dataset: p.Source, To: *step.To, Volume: source.Volume, Send: source.Send}
	for _, v := range step.Brings[:max(len(step.Brings)-1, 0)] {
		in.Via = append(in.Via, transfer.Brought{Name: v.Name, GUID: v.GUID})
	}
	if step.From != nil {
		in.From, in.Origin = *step.From, step.Origin
	}
	if step.Kind == plan.Resume {
		in.Token = r.view.targets[p.Target].Partial.Token
	}
	return in
}

func (r *round) target(i int, v dataset.Version) transfer.Snap {
	return transfer.Snap{Dataset: r.results[i].Target, Name: v.Name, GUID: v.GUID}
}

func (r *round) source(i int, v dataset.Version) transfer.Snap {
	return transfer.Snap{Dataset: r.results[i].Source, Name: v.Name, GUID: v.GUID}
}

// maxChain is how many snapshots one stream brings at most, as zrecv-frame
// takes them. The base does not move before its end.
const maxChain = 1000

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
