package endpoint

import (
	"context"
	"errors"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// Export writes a stream that Send made to a file, framed and with checksums. Whole
// reports that it is there up to its trailer, which may say that zfs send failed:
// others can follow it. Rates do not apply: they are of a line.
func (s *Sender) Export(ctx context.Context, made *transfer.Stream, out *os.File, progress func(bytes uint64)) (whole bool, err error) {
	var expect stream.Expect
	for _, words := range made.Expect {
		if err := expect.Set(words); err != nil {
			return false, err
		}
	}
	r, w, err := child.Pipe()
	if err != nil {
		return false, err
	}
	defer r.Close()
	f := flow{limit: s.Stall, progress: progress}
	watched, stop := f.watch(ctx)
	defer stop()
	p, err := child.Start(watched, child.Cmd{Args: made.Args, Stdout: w, Stderr: &child.Tail{}, Group: true, Guard: true})
	err = errors.Join(err, w.Close())
	if err != nil {
		return false, err
	}
	_, err = frame.Send(watched, frame.SendOptions{In: r, Out: out, Checksum: frame.CRC32C, Command: p, Inspect: expect.Inspect, Moved: &f.moved})
	if err != nil {
		p.Kill()
	}
	ended(watched, p)
	if stall := stalled(watched); stall != nil {
		err = stall
	}
	if failed := (*frame.FailedError)(nil); errors.As(err, &failed) {
		e := ending{Exit: failed.Trailer.Exit, Signal: failed.Trailer.Signal, Reason: failed.Trailer.Reason, Stderr: failed.Trailer.Stderr}
		return true, errors.New("zfs send: " + e.String())
	}
	return err == nil, err
}
