package endpoint

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Roles of a server.
const (
	SourceRole = "source" // serves a Sender
	SinkRole   = "sink"   // serves a Receiver
)

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
		return spread(s.mask(list)), err
	}))
	server.Handle("protect", inRun(v, s.Protect))
	server.Handle("held", after(v, s.Held))
	server.Handle("size", inRun(v, s.Size))
	server.Handle("strays", inRun(v, func(ctx context.Context, in transfer.StraysRequest) (transfer.Strays, error) {
		out, err := s.Strays(ctx, in)
		return transfer.Strays{Count: out.Count}, err
	}))
	server.Handle("deferred", after(v, s.Deferred))
	server.Handle("uses", after(v, s.Uses))
	server.Handle("send", func(ctx context.Context, in transfer.SendRequest) (transfer.SendReply, rpc.Sender, error) {
		if err := v.mayAct(); err != nil {
			return transfer.SendReply{}, nil, err
		}
		in, err := s.unmask(ctx, in)
		if err != nil {
			return transfer.SendReply{}, nil, err
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
	server.Handle("protect", inRun(v, r.Protect))
	server.Handle("held", after(v, r.Held))
	server.Handle("since", after(v, r.Since))
	server.Handle("targets", after(v, r.Targets))
	server.Handle("takes", after(v, r.Takes))
	server.Handle("apply", inRun(v, r.Apply))
	server.Handle("placeholder", inRun(v, func(ctx context.Context, in transfer.Placeholder) (struct{}, error) {
		return struct{}{}, r.Placeholder(ctx, in)
	}))
	server.Handle("abort", inRun(v, func(ctx context.Context, in transfer.Name) (struct{}, error) {
		return struct{}{}, r.Abort(ctx, in)
	}))
	server.Handle("receive", func(ctx context.Context, in transfer.ReceiveRequest, o *rpc.Octets) (transfer.Received, error) {
		if err := v.mayAct(); err != nil {
			return transfer.Received{}, err
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

// gather joins what spread cut.
func gather(seq iter.Seq2[entry, error]) ([]transfer.Dataset, error) {
	var list []transfer.Dataset
	names := map[string]string{} // one copy of each
	size := 0
	for e, err := range seq {
		if err != nil {
			return nil, err
		}
		d := e.Dataset
		shareNames(d.Versions, names)
		if size += sizeOf(&d); size > maxList {
			return nil, fmt.Errorf("the list takes more than %d bytes of memory: the job covers more than this program allows, or the far side lies", maxList)
		}
		if n := len(list); n > 0 && list[n-1].Name == d.Name {
			list[n-1].Versions = append(list[n-1].Versions, d.Versions...)
			list[n-1].Illegal = cmp.Or(list[n-1].Illegal, d.Illegal)
			continue
		}
		list = append(list, d)
	}
	return list, nil
}

// maxShared bounds what is kept for names that nobody shares.
const maxShared = 1 << 16

// shareNames has versions with the same names share them: most snapshots are
// taken together with those of other datasets.
func shareNames(versions []dataset.Version, names map[string]string) {
	for i := range versions {
		name, ok := names[versions[i].Name]
		if !ok {
			if len(names) >= maxShared {
				clear(names)
			}
			name = versions[i].Name
			names[name] = name
		}
		versions[i].Name = name
	}
}
