package endpoint

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
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

	packs bool // the server knows zstd, and allows it
	slot  *transfer.Slot
	end   context.CancelFunc // ends the connection at once
	free  func() bool        // ends use
}

// init has the link end what moves its streams before itself.
func (l *Link) init() {
	l.slot = &transfer.Slot{}
	explain := l.Explain
	l.Explain = func(err error) error {
		l.slot.Close()
		err = explain(err)
		l.free()
		l.end()
		return err
	}
}

// use has ctx end the connection until free is called: a call that is cancelled
// leaves it in the middle of a message.
func (l *Link) use(ctx context.Context) *Link {
	l.free = context.AfterFunc(ctx, l.end)
	return l
}

// Pool keeps the connections of one run to one server. Each has one call at a
// time, so that several calls at once are several connections: as many as its
// user makes calls. A connection with any fault is ended and not used again.
type Pool struct {
	// Dial makes a connection, which ends when ctx is cancelled. That is not the
	// context of the call that needs it first: later calls use it, too.
	Dial func(ctx context.Context) (*Link, error)
	Job  string
	Run  string // the same for all connections of a run
	Role string // what the server must be
	// Lists bounds what the server may list: datasets and snapshots. 0: the
	// bounds of this program.
	Lists Limits
	// Compress is how streams are compressed, if the server allows it; empty:
	// they are not. Say is told once if it does not; it may be nil.
	Compress pack.Method
	Say      func(string)

	mu   sync.Mutex
	told sync.Once
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
			return l.use(ctx), nil
		}
		l.Explain(nil) // the server has ended it meanwhile
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	free := context.AfterFunc(ctx, end)
	l, err := p.Dial(life)
	if err != nil {
		end()
		return nil, cmp.Or(ctx.Err(), err)
	}
	l.end, l.free = end, free
	l.init()
	var w transfer.Welcome
	if err := l.Call(ctx, "hello", transfer.Hello{Protocol: transfer.Protocol, Job: p.Job, Run: p.Run}, &w); err != nil {
		return nil, p.unreachable(ctx, l, err)
	}
	l.packs = slices.Contains(w.Compress, pack.Zstd)
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
		return p.answered(remote, err)
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
	if !l.free() { // its call was cancelled
		l.Explain(nil)
		return
	}
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
		return p.answered(remote, err)
	}
	return p.broken(ctx, l, err)
}

// answered gives a server's error the kind that its code says. A code that is
// not known is none. A source knows nothing of the receiver's space: the
// receiver is here, and would act on it.
func (p *Pool) answered(answer *rpc.RemoteError, err error) error {
	if answer.Code == rpc.CodeLater || answer.Code == rpc.CodeTimeout { // it may pass
		return &transfer.LinkError{Err: err}
	}
	kind := fault.Parse(answer.Code)
	if p.Role == SourceRole && kind == fault.NoSpace {
		kind = ""
	}
	return fault.With(kind, err)
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

// datasets makes a call that is answered by a list of datasets.
func (p *Pool) datasets(ctx context.Context, call string, in any) ([]transfer.Dataset, error) {
	l, err := p.get(ctx)
	if err != nil {
		return nil, err
	}
	var seq iter.Seq2[entry, error]
	var list []transfer.Dataset
	if err = l.Call(ctx, call, in, &seq); err == nil {
		list, err = gather(seq, p.Lists)
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
		maps.Copy(all, asked(problemsOf(bad), part))
	}
	return all, nil
}

// problemsOf reads problems. One that cannot be read is a problem all the same.
func problemsOf(said map[string]json.RawMessage) transfer.Problems {
	problems := transfer.Problems(readable[transfer.Problem](said))
	for ds := range said {
		if _, ok := problems[ds]; !ok {
			problems[ds] = transfer.Problem{}
		}
	}
	return problems
}

// digest is the call of both ends.
func (p *Pool) digest(ctx context.Context, in transfer.DigestRequest) (out transfer.Digest, err error) {
	err = p.call(ctx, "digest", in, &out)
	if remote := (*rpc.RemoteError)(nil); errors.As(err, &remote) && remote.Code == rpc.CodeUnknownCall {
		return transfer.Digest{}, errNoDigests{}
	}
	if err != nil {
		return transfer.Digest{}, err
	}
	return judgeDigest(out, in)
}

// errNoDigests says that the far side is of a version without the call.
type errNoDigests struct{}

func (errNoDigests) Error() string { return "the far side's zreplctl is too old for verify" }

// Unable says that it is so for all datasets.
func (errNoDigests) Unable() bool { return true }

// RemoteSender is a Sender at the other end of connections.
type RemoteSender struct{ *Pool }

// List is Sender.List over there.
func (s RemoteSender) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	return s.datasets(ctx, "list", in)
}

// collect asks about names in parts and joins the answers, as far as they are
// about the datasets of the request.
func collect[T, V any](ctx context.Context, p *Pool, call string, names []T, of func(T) string, request func([]T) any) (map[string]V, error) {
	all := map[string]V{}
	for part := range slices.Chunk(names, perCall) {
		var some map[string]json.RawMessage
		if err := p.call(ctx, call, request(part), &some); err != nil {
			return nil, err
		}
		answer := readable[V](some)
		for _, name := range part {
			if v, ok := answer[of(name)]; ok {
				all[of(name)] = v
			}
		}
	}
	return all, nil
}

func itself(name string) string { return name }

// Held is Sender.Held over there.
func (s RemoteSender) Held(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return s.some(ctx, "held", in)
}

// Size is Sender.Size over there.
func (s RemoteSender) Size(ctx context.Context, in transfer.SendRequest) (n uint64, err error) {
	err = s.call(ctx, "size", in, &n)
	return n, err
}

// Sizes is Sender.Sizes over there. A far side that answers otherwise than it
// was asked knows none.
func (s RemoteSender) Sizes(ctx context.Context, in []transfer.SendRequest) (sizes []uint64, err error) {
	err = s.call(ctx, "sizes", in, &sizes)
	if err == nil && len(sizes) != len(in) {
		sizes = make([]uint64, len(in))
	}
	return sizes, err
}

// Strays is Sender.Strays over there.
func (s RemoteSender) Strays(ctx context.Context, in transfer.StraysRequest) (out transfer.Strays, err error) {
	err = s.call(ctx, "strays", in, &out)
	return transfer.Strays{Count: max(out.Count, 0), Kept: max(out.Kept, 0)}, err // the names are of one host only
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
		all = append(all, amongAsked(some, part)...)
	}
	return all, nil
}

// Digest is Sender.Digest over there.
func (s RemoteSender) Digest(ctx context.Context, in transfer.DigestRequest) (transfer.Digest, error) {
	return s.digest(ctx, in)
}

// Uses is Sender.Uses over there.
func (s RemoteSender) Uses(ctx context.Context, in transfer.UsesRequest) (map[string]transfer.Uses, error) {
	all, err := collect[string, transfer.Uses](ctx, s.Pool, "uses", in.Datasets, itself, func(part []string) any {
		return transfer.UsesRequest{Datasets: part, Features: in.Features}
	})
	return judgeUses(all, in.Features), err
}

// Send asks for a stream. The connection is the stream's until its Done.
func (s RemoteSender) Send(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	return s.stream(ctx, "send", in)
}

// stream makes a call that answers with a stream.
func (p *Pool) stream(ctx context.Context, call string, in transfer.SendRequest) (*transfer.Stream, error) {
	l, err := p.get(ctx)
	if err != nil {
		return nil, err
	}
	if p.packs(l, in.Send) {
		in.Compress = pack.Zstd
	}
	stream := &transfer.Stream{}
	file, done, err := l.CallReceive(ctx, call, in, &stream.SendReply)
	if err != nil {
		return nil, p.failed(ctx, l, err)
	}
	if err := judgeSend(stream.SendReply); err != nil {
		done(false)
		l.Explain(nil)
		return nil, err
	}
	stream.Framed, stream.Slot = file, l.slot
	stream.Done = func(clean bool) error {
		if err := done(clean); err != nil || !clean {
			return l.Explain(err)
		}
		p.put(l)
		return nil
	}
	return stream, nil
}
