package endpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// RemoteReceiver is a Receiver at the other end of connections. SendFrame is
// the zsend-frame program with options, Stall for how long nothing of a stream
// may move; 0: for ever.
type RemoteReceiver struct {
	*Pool
	SendFrame []string
	Stall     time.Duration
}

// List is Receiver.List over there.
func (r RemoteReceiver) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	return r.datasets(ctx, "list", in)
}

// Protect is Receiver.Protect over there.
func (r RemoteReceiver) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	return r.protect(ctx, in)
}

// Held is Receiver.Held over there.
func (r RemoteReceiver) Held(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return r.some(ctx, "held", in)
}

// Since is Receiver.Since over there.
func (r RemoteReceiver) Since(ctx context.Context, in []transfer.Snap) (map[string]uint64, error) {
	of := func(s transfer.Snap) string { return s.Dataset }
	return collect[transfer.Snap, uint64](ctx, r.Pool, "since", in, of, func(part []transfer.Snap) any { return part })
}

// Targets is Receiver.Targets over there.
func (r RemoteReceiver) Targets(ctx context.Context, sources []string) (map[string]string, error) {
	targets, err := collect[string, string](ctx, r.Pool, "targets", sources, itself, func(part []string) any { return part })
	for source, target := range targets {
		targets[source] = clean.Name(target) // as it is if it is legal
	}
	return targets, err
}

// Takes is Receiver.Takes over there.
func (r RemoteReceiver) Takes(ctx context.Context, in struct{}) (out transfer.Takes, err error) {
	err = r.call(ctx, "takes", in, &out)
	return judgeTakes(out), err
}

// Apply is Receiver.Apply over there.
func (r RemoteReceiver) Apply(ctx context.Context, in []transfer.Settings) (out transfer.Applied, err error) {
	err = r.call(ctx, "apply", in, &out)
	return judgeApplied(out, in), err
}

// Digest is Receiver.Digest over there.
func (r RemoteReceiver) Digest(ctx context.Context, in transfer.DigestRequest) (transfer.Digest, error) {
	return r.digest(ctx, in)
}

// Placeholder is Receiver.Placeholder over there.
func (r RemoteReceiver) Placeholder(ctx context.Context, in transfer.Placeholder) error {
	return r.call(ctx, "placeholder", in, nil)
}

// Rename is Receiver.Rename over there.
func (r RemoteReceiver) Rename(ctx context.Context, in transfer.Rename) error {
	return r.call(ctx, "rename", in, nil)
}

// SetAside is Receiver.SetAside over there.
func (r RemoteReceiver) SetAside(ctx context.Context, in transfer.Aside) (out transfer.Name, err error) {
	err = r.call(ctx, "aside", in, &out)
	return out, err
}

// Abort is Receiver.Abort over there.
func (r RemoteReceiver) Abort(ctx context.Context, in transfer.Name) error {
	return r.call(ctx, "abort", in, nil)
}

// Receive sends a stream that is made here.
func (r RemoteReceiver) Receive(ctx context.Context, in transfer.ReceiveRequest, stream *transfer.Stream, progress func(uint64)) (got transfer.Received, err error) {
	defer stream.Close()
	if stream.Args == nil {
		return got, errors.New("a stream that comes over a connection can't be sent on over another")
	}
	l, err := r.get(ctx)
	if err != nil {
		return got, err
	}
	if r.packs(l, in.Send) {
		stream.Compress = string(r.Compress)
	}
	f := flow{limit: r.Stall, progress: progress, stream: stream}
	watched, stop := f.watch(ctx) // also while the reply is waited for
	defer stop()
	var sent error
	err = l.CallSend(watched, "receive", in, func(ctx context.Context, out *os.File) error {
		sent = f.send(ctx, l.slot, r.SendFrame, stream, out)
		f.ending.Store(sent == nil) // the far side watches over its own end
		return sent
	}, &got)
	got = judgeReceived(got)
	if err == nil {
		r.put(l)
		return got, nil
	}
	var remote *rpc.RemoteError
	stall := stalled(watched)
	switch {
	case stall != nil && ctx.Err() == nil:
		l.Explain(nil)
		return transfer.Received{Bytes: f.moved.Load()}, stall
	case errors.As(err, &remote):
		l.Explain(nil) // a server that refuses octets hangs up
		return got, r.answered(remote, err)
	}
	err = r.broken(ctx, l, err)
	if sent != nil && ctx.Err() == nil {
		err = &transfer.LinkError{Err: fmt.Errorf("%w (%w)", err, sent)}
	}
	return got, err
}
