package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
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
	for l := p.take(); l != nil; l = p.take() {
		if c, ok := l.Client.(interface{ Quiet() bool }); !ok || c.Quiet() {
			return l, nil
		}
		l.Explain(nil) // the server has ended it meanwhile
	}
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
		return nil, fmt.Errorf("the server's job is a %q, and this job needs a %q", clean.Name(w.Role), p.Role)
	}
	return l, nil
}

// take takes a connection that is not in use; nil if there is none.
func (p *Pool) take() *Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	l := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return l
}

// unreachable judges the failure of a first call: it may be a wrong address,
// a refusal or a link that will come back.
func (p *Pool) unreachable(ctx context.Context, l *Link, err error) error {
	var remote *rpc.RemoteError
	if errors.As(err, &remote) {
		l.Explain(nil)
		return mayPass(remote, err)
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
		if remote.Code == rpc.CodeLimit || remote.Code == rpc.CodeTimeout { // the server hangs up
			l.Explain(nil)
		} else {
			p.put(l)
		}
		return mayPass(remote, err)
	}
	return p.broken(ctx, l, err)
}

// mayPass makes an answer that says so a fault that may pass by itself.
func mayPass(answer *rpc.RemoteError, err error) error {
	if answer.Code == rpc.CodeLater || answer.Code == rpc.CodeTimeout {
		return &transfer.LinkError{Err: err}
	}
	return err
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
	var seq iter.Seq2[entry, error]
	err = l.Call(ctx, "list", in, &seq)
	var list []transfer.Dataset
	if err == nil {
		list, err = gather(seq)
	}
	if err != nil {
		return nil, p.failed(ctx, l, err)
	}
	p.put(l)
	return judge(list), nil
}

// protect is the call of both ends.
func (p *Pool) protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	all := transfer.Problems{}
	for _, part := range splitHolds(in) { // as many calls as the request needs
		var bad map[string]json.RawMessage
		if err := p.call(ctx, "protect", part, &bad); err != nil {
			return nil, err
		}
		problems := transfer.Problems(readable[string](bad))
		for ds := range bad {
			if _, ok := problems[ds]; !ok { // it is a problem all the same
				problems[ds] = ""
			}
		}
		maps.Copy(all, asked(problems, part))
	}
	return all, nil
}

// RemoteSender is a Sender at the other end of connections.
type RemoteSender struct{ *Pool }

// List is Sender.List over there.
func (s RemoteSender) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	return s.list(ctx, in)
}

// collect asks about names in parts and joins the answers.
func collect[T, V any](ctx context.Context, p *Pool, call string, names []T, request func([]T) any) (map[string]V, error) {
	all := map[string]V{}
	for part := range slices.Chunk(names, perCall) {
		var some map[string]json.RawMessage
		if err := p.call(ctx, call, request(part), &some); err != nil {
			return nil, err
		}
		maps.Copy(all, readable[V](some))
	}
	return all, nil
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

// Protect is Sender.Protect over there.
func (s RemoteSender) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	return s.protect(ctx, in)
}

// Deferred is Sender.Deferred over there.
func (s RemoteSender) Deferred(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return s.some(ctx, "deferred", in)
}

// some makes a call that answers with some of the snapshots that it was given.
func (p *Pool) some(ctx context.Context, name string, in []transfer.Snap) (all []transfer.Snap, err error) {
	for part := range slices.Chunk(in, perCall) {
		var some []transfer.Snap
		if err := p.call(ctx, name, part, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Uses is Sender.Uses over there.
func (s RemoteSender) Uses(ctx context.Context, in transfer.UsesRequest) (map[string]transfer.Uses, error) {
	return collect[string, transfer.Uses](ctx, s.Pool, "uses", in.Datasets, func(part []string) any {
		return transfer.UsesRequest{Datasets: part, Features: in.Features}
	})
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
func (r RemoteReceiver) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	return r.protect(ctx, in)
}

// Held is Receiver.Held over there.
func (r RemoteReceiver) Held(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return r.some(ctx, "held", in)
}

// Since is Receiver.Since over there.
func (r RemoteReceiver) Since(ctx context.Context, in []transfer.Snap) (map[string]uint64, error) {
	return collect[transfer.Snap, uint64](ctx, r.Pool, "since", in, func(part []transfer.Snap) any { return part })
}

// Targets is Receiver.Targets over there.
func (r RemoteReceiver) Targets(ctx context.Context, sources []string) (map[string]string, error) {
	return collect[string, string](ctx, r.Pool, "targets", sources, func(part []string) any { return part })
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
		f.ending.Store(sent == nil) // the far side watches over its own end
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
		return got, mayPass(remote, err)
	}
	err = r.broken(ctx, l, err)
	if sent != nil && ctx.Err() == nil {
		err = &transfer.LinkError{Err: fmt.Errorf("%w (%w)", err, sent)}
	}
	return got, err
}
