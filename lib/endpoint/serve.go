package endpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/identity"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Roles of a server.
const (
	SourceRole = "source" // serves a Sender
	SinkRole   = "sink"   // serves a Receiver
)

// Service is what a server tells of itself and learns of its client.
type Service struct {
	Client string // the client's identity
	// Hello is told which job, and which run of it, the client says it belongs
	// to. An error that is a *transfer.LinkError is one for the client, too.
	Hello func(ctx context.Context, job, run string) error
	// Doing is told what the client has begun, and "" when that has ended.
	Doing func(what, dataset string)

	greeted bool
}

func (v *Service) register(s *rpc.Server, role string) {
	s.Handle("hello", func(ctx context.Context, in transfer.Hello) (transfer.Welcome, error) {
		if in.Protocol != transfer.Protocol {
			return transfer.Welcome{}, fmt.Errorf("client speaks protocol %d, this server %d", in.Protocol, transfer.Protocol)
		}
		if err := identity.Check(in.Run); err != nil && in.Run != "" {
			return transfer.Welcome{}, fmt.Errorf("bad run id: %w", err)
		}
		if err := identity.Check(in.Job); err != nil && in.Job != "" {
			return transfer.Welcome{}, fmt.Errorf("bad job name: %w", err)
		}
		if v.Hello != nil && !v.greeted && in.Run != "" {
			if err := v.Hello(ctx, in.Job, in.Run); err != nil {
				return transfer.Welcome{}, later(err)
			}
		}
		v.greeted = true
		return transfer.Welcome{Protocol: transfer.Protocol, Client: v.Client, Role: role}, nil
	})
}

// codeLater is the code of an error that may pass by itself.
const codeLater = "try-later"

func later(err error) error {
	if link := (*transfer.LinkError)(nil); errors.As(err, &link) {
		return &rpc.RemoteError{Code: codeLater, Message: err.Error()}
	}
	return err
}

// errNoHello: until hello has said which run a client belongs to, it cannot be
// told from an older one.
var errNoHello = errors.New("the first call must be hello")

// after makes fn a call that may only come behind hello.
func after[In, Out any](v *Service, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (out Out, err error) {
		if !v.greeted {
			return out, errNoHello
		}
		return fn(ctx, in)
	}
}

func (v *Service) doing(what, dataset string) func() {
	if v.Doing == nil {
		return func() {}
	}
	v.Doing(what, dataset)
	return func() { v.Doing("", "") }
}

// ServeSender registers the calls of a sender. SendFrame is the zsend-frame
// program with options.
func ServeSender(server *rpc.Server, v *Service, s *Sender, sendFrame []string) {
	v.register(server, SourceRole)
	server.Handle("list", after(v, func(ctx context.Context, in transfer.ListRequest) (iter.Seq2[transfer.Dataset, error], error) {
		defer v.doing("list", "")()
		list, err := s.List(ctx, in)
		return spread(list), err
	}))
	server.Handle("protect", after(v, s.Protect))
	server.Handle("held", after(v, s.Held))
	server.Handle("size", after(v, s.Size))
	server.Handle("strays", after(v, func(ctx context.Context, in transfer.StraysRequest) (transfer.Strays, error) {
		out, err := s.Strays(ctx, in)
		return transfer.Strays{Count: out.Count}, err
	}))
	server.Handle("deferred", after(v, s.Deferred))
	server.Handle("uses", after(v, s.Uses))
	server.Handle("send", func(ctx context.Context, in transfer.SendRequest) (transfer.SendReply, rpc.Sender, error) {
		if !v.greeted {
			return transfer.SendReply{}, nil, errNoHello
		}
		stream, err := s.Send(ctx, in)
		if err != nil {
			return transfer.SendReply{}, nil, err
		}
		return stream.SendReply, func(ctx context.Context, out *os.File) error {
			defer v.doing("send", in.Dataset)()
			return (&flow{limit: s.Stall}).sendFramed(ctx, sendFrame, stream, out)
		}, nil
	})
}

// ServeReceiver registers the calls of a receiver.
func ServeReceiver(server *rpc.Server, v *Service, r *Receiver) {
	v.register(server, SinkRole)
	server.Handle("list", after(v, func(ctx context.Context, in transfer.ListRequest) (iter.Seq2[transfer.Dataset, error], error) {
		defer v.doing("list", "")()
		list, err := r.List(ctx, in)
		return spread(list), err
	}))
	server.Handle("protect", after(v, r.Protect))
	server.Handle("held", after(v, r.Held))
	server.Handle("since", after(v, r.Since))
	server.Handle("targets", after(v, r.Targets))
	server.Handle("takes", after(v, r.Takes))
	server.Handle("placeholder", after(v, func(ctx context.Context, in transfer.Placeholder) (struct{}, error) {
		return struct{}{}, r.Placeholder(ctx, in)
	}))
	server.Handle("abort", after(v, func(ctx context.Context, in transfer.Name) (struct{}, error) {
		return struct{}{}, r.Abort(ctx, in)
	}))
	server.Handle("receive", func(ctx context.Context, in transfer.ReceiveRequest, o *rpc.Octets) (transfer.Received, error) {
		if !v.greeted {
			return transfer.Received{}, errNoHello
		}
		defer v.doing("receive", in.Dataset)()
		if err := r.checkReceive(ctx, in); err != nil {
			return transfer.Received{}, err
		}
		return r.receiveFramed(ctx, in, o.File(), nil)
	})
}

// versionsPerValue keeps a line of a list far below what rpc allows for one.
const versionsPerValue = 2000

// spread cuts long histories into several values.
func spread(list []transfer.Dataset) iter.Seq2[transfer.Dataset, error] {
	return func(yield func(transfer.Dataset, error) bool) {
		for _, d := range list {
			rest := d.Versions
			for first := true; first || len(rest) > 0; first = false {
				n := min(len(rest), versionsPerValue)
				d.Versions, rest = rest[:n], rest[n:]
				if !yield(d, nil) {
					return
				}
				d = transfer.Dataset{Name: d.Name}
			}
		}
	}
}

// maxList is how much memory, about, a far side's list may take: ten million
// snapshots.
const (
	maxList     = 1 << 30
	listVersion = 64 // besides its name
)

// gather joins what spread cut.
func gather(seq iter.Seq2[transfer.Dataset, error]) ([]transfer.Dataset, error) {
	var list []transfer.Dataset
	size := 0
	for d, err := range seq {
		if err != nil {
			return nil, err
		}
		size += 4*listVersion + len(d.Name)
		for _, v := range d.Versions {
			size += listVersion + len(v.Name)
		}
		if size > maxList {
			return nil, fmt.Errorf("the list takes more than %d bytes", maxList)
		}
		if n := len(list); n > 0 && list[n-1].Name == d.Name {
			list[n-1].Versions = append(list[n-1].Versions, d.Versions...)
			continue
		}
		list = append(list, d)
	}
	return list, nil
}
