package endpoint

import (
	"context"
	"iter"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// serveBack registers the calls with which a client restores from its copies.
// They are refused unless the sink's configuration allows them.
func serveBack(server *rpc.Server, v *Service, r *Receiver, slot *transfer.Slot) {
	server.Handle("copies", after(v, func(ctx context.Context, in transfer.CopiesRequest) (iter.Seq2[transfer.Dataset, error], error) {
		defer v.doing("copies", "")()
		list, err := r.Copies(ctx, in)
		return spread(list), err
	}))
	server.Handle("pin", inRun(v, func(ctx context.Context, in transfer.Pins) (transfer.Problems, error) {
		defer v.doing("pin", "")()
		return r.Pin(ctx, in)
	}))
	server.Handle("sizes", after(v, func(ctx context.Context, in []transfer.SendRequest) ([]uint64, error) {
		defer v.doing("sizes", "")()
		return r.BackSizes(ctx, in)
	}))
	server.Handle("restore", func(ctx context.Context, in transfer.SendRequest) (transfer.SendReply, rpc.Sender, error) {
		if err := v.mayAct(); err != nil {
			return transfer.SendReply{}, nil, err
		}
		stream, err := r.Restore(ctx, in)
		if err != nil {
			return transfer.SendReply{}, nil, err
		}
		return stream.SendReply, func(ctx context.Context, out *os.File) error {
			defer v.doing("restore", in.Dataset)()
			f := &flow{limit: r.Back.Stall}
			defer func() { v.moved(f.moved.Load()) }()
			return f.sendFramed(ctx, slot, r.Back.SendFrame, stream, out)
		}, nil
	})
}
