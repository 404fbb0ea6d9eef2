package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// maxSaid is how much of what a program said becomes part of an error.
const maxSaid = 500

// checkReceive refuses what a client may not ask of a receiver: a target that
// is not the job's, and to receive over anything but an empty placeholder.
func (r *Receiver) checkReceive(ctx context.Context, in transfer.ReceiveRequest) error {
	if err := r.changes(ctx, in.Dataset); err != nil {
		return err
	}
	if err := expected(in).Check(); err != nil {
		return fmt.Errorf("bad request to receive: %w", err)
	}
	for _, s := range append(in.Via, transfer.Brought{Name: in.Name}) {
		if err := checkShort(in.Dataset, s.Name); err != nil {
			return err
		}
	}
	if err := property.CheckTold(in.Told.Set); err != nil {
		return fmt.Errorf("cannot take the properties told of dataset %q: %w", in.Dataset, err)
	}
	if err := r.limitReceive(ctx, in); err != nil {
		return err
	}
	if err := r.checkOrigin(ctx, in); err != nil {
		return err
	}
	if !in.Over {
		return nil
	}
	l := listing{zfs: r.ZFS, roots: []string{in.Dataset}, properties: receiverProperties}
	if err := l.run(ctx); err != nil {
		return err
	}
	if len(l.datasets) != 1 || !received(l.datasets[0]).Placeholder || len(l.versions[in.Dataset]) > 0 || in.From != 0 {
		return fmt.Errorf("dataset %q is not an empty placeholder: it is not received over", in.Dataset)
	}
	return nil
}

// receiveArgs is the command that receives a stream; own says that this host
// sends it.
func (r *Receiver) receiveArgs(in transfer.ReceiveRequest, own bool) ([]string, error) {
	o := zfs.ReceiveOptions{Volume: in.Volume, Over: in.Over, Increment: !in.First(), Own: own, Raw: in.Send.Raw}
	if in.Origin != (transfer.Snap{}) {
		o.Origin = in.Origin.Full()
	}
	if in.First() {
		o.Set = r.firstSettings(in)
		if r.PlainCopies && !in.Send.Raw { // a raw one brings its encryption along
			o.Set["encryption"] = "off"
		}
		if r.Restores == "" {
			o.Set[SendProperty] = in.Send.String()
		} else {
			o.Set[RestoreProperty] = r.Restores
		}
	}
	return r.ZFS.ReceiveArgs(in.Dataset, o)
}

// Receive receives one stream. Progress, where it is not nil, is told now and
// then how many bytes came. Whatever it returns, what is on the receiver
// counts: a cut stream may be complete, and a good one is to be confirmed.
func (r *Receiver) Receive(ctx context.Context, in transfer.ReceiveRequest, from *transfer.Stream, progress func(uint64)) (transfer.Received, error) {
	if err := r.checkReceive(ctx, in); err != nil {
		from.Close()
		return transfer.Received{}, err
	}
	if from.Framed != nil {
		got, err := r.receiveFramed(ctx, in, from, progress)
		if from.Done == nil {
			return got, err
		}
		why := from.Done(err == nil)
		if link := (*transfer.LinkError)(nil); errors.As(err, &link) && why != nil && ctx.Err() == nil {
			err = &transfer.LinkError{Err: fmt.Errorf("%w: %w", err, why)}
		}
		return got, err
	}
	return r.join(ctx, in, from.Args, progress)
}

// expected is the stream that a request is about.
func expected(in transfer.ReceiveRequest) stream.Expect {
	e := expectation(in.Send, in.Volume, append(slices.Clone(in.Via), transfer.Brought{Name: in.Name, GUID: in.To}))
	e.From, e.Resumed, e.Clone = in.From, in.Resume, in.Origin != (transfer.Snap{})
	return e
}

// expectation is a stream with these options that brings these snapshots.
func expectation(o dataset.SendOptions, volume bool, brings []transfer.Brought) stream.Expect {
	e := stream.Expect{SendOptions: o, Volume: volume}
	for _, b := range brings {
		e.To = append(e.To, stream.Snapshot{Name: b.Name, GUID: b.GUID})
	}
	return e
}

// checkShort reports what is wrong with the name that a snapshot would have.
func checkShort(ds, short string) error {
	if err := dataset.CheckShort(short); err != nil {
		return fmt.Errorf("bad snapshot name %q: %w", short, err)
	}
	if len(ds)+1+len(short) > dataset.MaxNameLen {
		return fmt.Errorf("bad snapshot name %q: too long for %q", short, ds)
	}
	return nil
}

func (r *Receiver) receiveFramed(ctx context.Context, in transfer.ReceiveRequest, from *transfer.Stream, progress func(uint64)) (got transfer.Received, err error) {
	receive, err := r.receiveArgs(in, false)
	if err != nil {
		return got, err
	}
	f := flow{limit: r.Stall, progress: progress, stream: from}
	watched, stop := f.watch(ctx)
	defer stop()
	answer, said, err := f.move(watched, from.Slot, r.RecvFrame, frameFiles{stdin: from.Framed, inherit: r.Inherit}, frameJob{Command: receive, Expect: expected(in).Words()})
	if err != nil {
		return transfer.Received{Bytes: f.moved.Load()}, err
	}
	got, err = judgeFrame(bytes.NewReader(answer), said)
	got.Unset = unset(receive, said)
	r.forget(ctx, in, got.Unset)
	if err != nil {
		if s := stalled(watched); s != nil {
			return got, s
		}
		return got, err
	}
	if err := r.unmark(ctx, in); err != nil {
		got.Unset = err.Error()
	}
	return got, nil
}

// unmark takes the mark off a placeholder that was received over.
func (r *Receiver) unmark(ctx context.Context, in transfer.ReceiveRequest) error {
	if !in.Over {
		return nil
	}
	return r.clearMarks(ctx, in.Dataset)
}
