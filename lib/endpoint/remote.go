package endpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Link is one connection to a server.
type Link struct {
	rpc.Client
	// Explain closes the connection, on which err was seen, and returns why
	// that was, as far as is known: what ssh said, perhaps. A method
	// ExitStatus that returns 75 says that it may work later. It may be called
	// with nil.
	Explain func(err error) error
}

// Pool keeps the connections of one run to one server. Each has one call at a
// time, so that several calls at once are several connections: as many as its
// user makes calls. A connection with any fault is ended and not used again.
type Pool struct {
	Dial func(ctx context.Context) (*Link, error)
	Job  string
	Run  string // the same for all connections of a run
	Role string // what the server must be

	mu   sync.Mutex
	idle []*Link
}

// Close ends the connections that are not in use.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, l := range idle {
		l.Explain(nil)
	}
}

func (p *Pool) get(ctx context.Context) (*Link, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		l := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return l, nil
	}
	p.mu.Unlock()
	l, err := p.Dial(ctx)
	if err != nil {
		return nil, err
	}
	var w transfer.Welcome
	if err := l.Call(ctx, "hello", transfer.Hello{Protocol: transfer.Protocol, Job: p.Job, Run: p.Run}, &w); err != nil {
		return nil, p.unreachable(ctx, l, err)
	}
	if w.Role != p.Role {
		l.Explain(nil)
		return nil, fmt.Errorf("the server's job is a %q, and this job needs a %q", w.Role, p.Role)
	}
	return l, nil
}

// unreachable judges the failure of a first call: it may be a wrong address,
// a refusal or a link that will come back.
func (p *Pool) unreachable(ctx context.Context, l *Link, err error) error {
	var remote *rpc.RemoteError
	if errors.As(err, &remote) {
		l.Explain(nil)
		if remote.Code == codeLater {
			return &transfer.LinkError{Err: err}
		}
		return err
	}
	err = l.Explain(err)
	var later interface{ ExitStatus() int }
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &later) && later.ExitStatus() == tryLater:
		return &transfer.LinkError{Err: err}
	}
	return err
}

// tryLater is EX_TEMPFAIL of sysexits(3).
const tryLater = 75

func (p *Pool) put(l *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, l)
}

// failed judges a call's error: an answer leaves the connection as good as
// before; anything else ends it, and the program at its other end may know
// better why.
func (p *Pool) failed(ctx context.Context, l *Link, err error) error {
	var remote *rpc.RemoteError
	if errors.As(err, &remote) && ctx.Err() == nil {
		p.put(l)
		return err
	}
	return p.broken(ctx, l, err)
}

// broken ends a connection that worked before.
func (p *Pool) broken(ctx context.Context, l *Link, err error) error {
	err = l.Explain(err)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &transfer.LinkError{Err: err}
}

func (p *Pool) call(ctx context.Context, name string, in, out any) error {
	l, err := p.get(ctx)
	if err != nil {
		return err
	}
	if err := l.Call(ctx, name, in, out); err != nil {
		return p.failed(ctx, l, err)
	}
	p.put(l)
	return nil
}

func (p *Pool) list(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	l, err := p.get(ctx)
	if err != nil {
		return nil, err
	}
	var seq iter.Seq2[transfer.Dataset, error]
	err = l.Call(ctx, "list", in, &seq)
	var list []transfer.Dataset
	if err == nil {
		list, err = gather(seq)
	}
	if err != nil {
		return nil, p.failed(ctx, l, err)
	}
	p.put(l)
	return list, nil
}

// RemoteSender is a Sender at the other end of connections.
type RemoteSender struct{ *Pool }

// List is Sender.List over there.
func (s RemoteSender) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	return s.list(ctx, in)
}

// Protect is Sender.Protect over there.
func (s RemoteSender) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	var bad transfer.Problems
	err := s.call(ctx, "protect", in, &bad)
	return bad, err
}

// Held is Sender.Held over there.
func (s RemoteSender) Held(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return s.some(ctx, "held", in)
}

// Size is Sender.Size over there.
func (s RemoteSender) Size(ctx context.Context, in transfer.SendRequest) (n uint64, err error) {
	err = s.call(ctx, "size", in, &n)
	return n, err
}

// Strays is Sender.Strays over there.
func (s RemoteSender) Strays(ctx context.Context, in transfer.StraysRequest) (out transfer.Strays, err error) {
	err = s.call(ctx, "strays", in, &out)
	return out, err
}

// snapsPerCall keeps a request far below what a server takes, also with the
// longest names.
const snapsPerCall = 10_000

// Deferred is Sender.Deferred over there.
func (s RemoteSender) Deferred(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return s.some(ctx, "deferred", in)
}

// some makes a call that answers with some of the snapshots that it was given.
func (p *Pool) some(ctx context.Context, name string, in []transfer.Snap) (all []transfer.Snap, err error) {
	for part := range slices.Chunk(in, snapsPerCall) {
		var some []transfer.Snap
		if err := p.call(ctx, name, part, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Uses is Sender.Uses over there.
func (s RemoteSender) Uses(ctx context.Context, in transfer.UsesRequest) (out map[string]transfer.Uses, err error) {
	err = s.call(ctx, "uses", in, &out)
	return out, err
}

// Send asks for a stream. The connection is the stream's until its Done.
func (s RemoteSender) Send(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	l, err := s.get(ctx)
	if err != nil {
		return nil, err
	}
	stream := &transfer.Stream{}
	file, done, err := l.CallReceive(ctx, "send", in, &stream.SendReply)
	if err != nil {
		return nil, s.failed(ctx, l, err)
	}
	stream.Framed = file
	stream.Done = func(clean bool) error {
		if err := done(clean); err != nil || !clean {
			return l.Explain(err)
		}
		s.put(l)
		return nil
	}
	return stream, nil
}

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
	return r.list(ctx, in)
}

// Protect is Receiver.Protect over there.
func (r RemoteReceiver) Protect(ctx context.Context, in transfer.Holds) (bad transfer.Problems, err error) {
	err = r.call(ctx, "protect", in, &bad)
	return bad, err
}

// Held is Receiver.Held over there.
func (r RemoteReceiver) Held(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return r.some(ctx, "held", in)
}

// Since is Receiver.Since over there.
func (r RemoteReceiver) Since(ctx context.Context, in []transfer.Snap) (out map[string]uint64, err error) {
	err = r.call(ctx, "since", in, &out)
	return out, err
}

// Targets is Receiver.Targets over there.
func (r RemoteReceiver) Targets(ctx context.Context, sources []string) (out map[string]string, err error) {
	err = r.call(ctx, "targets", sources, &out)
	return out, err
}

// Takes is Receiver.Takes over there.
func (r RemoteReceiver) Takes(ctx context.Context, in struct{}) (out transfer.Takes, err error) {
	err = r.call(ctx, "takes", in, &out)
	return out, err
}

// Placeholder is Receiver.Placeholder over there.
func (r RemoteReceiver) Placeholder(ctx context.Context, in transfer.Placeholder) error {
	return r.call(ctx, "placeholder", in, nil)
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
	f := flow{limit: r.Stall, progress: progress}
	watched, stop := f.watch(ctx) // also while the reply is waited for
	defer stop()
	var sent error
	err = l.CallSend(watched, "receive", in, func(ctx context.Context, out *os.File) error {
		sent = f.send(ctx, r.SendFrame, stream, out)
		return sent
	}, &got)
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
		return got, err
	}
	err = r.broken(ctx, l, err)
	if sent != nil && ctx.Err() == nil {
		err = &transfer.LinkError{Err: fmt.Errorf("%w (%w)", err, sent)}
	}
	return got, err
}
