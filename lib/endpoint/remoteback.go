package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// RemoteBack is what a sink at the other end of connections gives back.
type RemoteBack struct{ *Pool }

// errOldSink says that the far side is of a version without the calls.
var errOldSink = errors.New("the far side's zreplctl is too old to restore from it over a connection")

func known(err error) error {
	if remote := (*rpc.RemoteError)(nil); errors.As(err, &remote) && remote.Code == rpc.CodeUnknownCall {
		return errOldSink
	}
	return err
}

// Targets says where the datasets of this host are over there.
func (b RemoteBack) Targets(ctx context.Context, sources []string) (map[string]string, error) {
	return RemoteReceiver{Pool: b.Pool}.Targets(ctx, sources)
}

// Copies is Receiver.Copies over there.
func (b RemoteBack) Copies(ctx context.Context, in transfer.CopiesRequest) ([]transfer.Dataset, error) {
	list, err := b.datasets(ctx, "copies", in)
	return list, known(err)
}

// Pin is Receiver.Pin over there.
func (b RemoteBack) Pin(ctx context.Context, in transfer.Pins) (transfer.Problems, error) {
	all := transfer.Problems{}
	for _, part := range splitPins(in) {
		var bad map[string]json.RawMessage
		if err := b.call(ctx, "pin", part, &bad); err != nil {
			return nil, known(err)
		}
		maps.Copy(all, asked(problemsOf(bad), transfer.Holds{Hold: part.Hold, Release: part.Release}))
	}
	return all, nil
}

// splitPins cuts a request into several of perCall names at most.
func splitPins(in transfer.Pins) (parts []transfer.Pins) {
	for part := range slices.Chunk(in.Hold, perCall) {
		parts = append(parts, transfer.Pins{Target: in.Target, Hold: part})
	}
	for part := range slices.Chunk(in.Release, perCall) {
		parts = append(parts, transfer.Pins{Target: in.Target, Release: part})
	}
	return parts
}

// Sizes is Receiver.BackSizes over there.
func (b RemoteBack) Sizes(ctx context.Context, in []transfer.SendRequest) ([]uint64, error) {
	sizes, err := RemoteSender(b).Sizes(ctx, in)
	return sizes, known(err)
}

// Restore asks for a stream. The connection is the stream's until its Done.
func (b RemoteBack) Restore(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	made, err := b.stream(ctx, "restore", in)
	return made, known(err)
}
