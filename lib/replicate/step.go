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
	case transfer.Gone(err): // others prune, too, and ZFS cannot list and hold at once
		return againError{err}
	default:
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
	case cerr == nil && bad[to.Dataset] == "":
		r.settled.add(ctx, i, step)
		return nil
	case errors.As(err, &link):
		return err
	case step.Kind == plan.Resume && !transfer.Full(err):
		r.say(fmt.Sprintf("cannot resume the receive of %q, starting it again: %v", to.Dataset, err))
		if aerr := r.Receiver.Abort(ctx, transfer.Name{Dataset: to.Dataset}); aerr == nil {
			return againError{err}
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
	in := transfer.SendRequest{Dataset: p.Source, To: *step.To, Volume: source.Volume, Send: source.Send}
	for _, v := range step.Brings[:max(len(step.Brings)-1, 0)] {
		in.Via = append(in.Via, transfer.Brought{Name: v.Name, GUID: v.GUID})
	}
	if step.From != nil {
		in.From = *step.From
	}
	if step.Kind == plan.Resume {
		in.Token = r.view.targets[p.Target].Partial.Token
	}
	stream, err := r.Sender.Send(ctx, in)
	if err != nil {
		return err
	}
	out := transfer.ReceiveRequest{Dataset: p.Target, Volume: source.Volume, From: in.From.GUID, To: in.To.GUID,
		Name: in.To.Name, Via: in.Via, Resume: in.Token != "", Over: step.Force, Send: source.Send}
	if out.From == 0 {
		out.Told = source.Told
	}
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
	if got.Unset != "" {
		r.spoil(i, fmt.Errorf("received, but not all its properties could be set: %s", got.Unset))
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
