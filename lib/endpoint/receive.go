package endpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// maxSaid is how much of what a program said becomes part of an error.
const maxSaid = 500

// CheckReceive refuses what a client may not ask of a receiver: a target that
// is not the job's, and to receive over anything but an empty placeholder.
func (r *Receiver) CheckReceive(ctx context.Context, in transfer.ReceiveRequest) error {
	if err := r.allowed(in.Dataset); err != nil {
		return err
	}
	if in.To == 0 || in.Name == "" {
		return errors.New("a request to receive that names no snapshot")
	}
	if in.Send.Properties && !r.Properties {
		return errors.New("streams with properties are not taken here")
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

func (r *Receiver) receiveArgs(in transfer.ReceiveRequest) ([]string, error) {
	o := zfs.ReceiveOptions{Snapshot: in.Name, Volume: in.Volume, Over: in.Over,
		Properties: in.Send.Properties, Raw: in.Send.Raw, Exclude: r.Exclude}
	if in.Chained {
		o.Snapshot = ""
	}
	if in.From == 0 {
		o.Set = map[string]string{"readonly": "on"}
		maps.Copy(o.Set, r.Set)
		o.Set[SendProperty] = in.Send.Record()
	}
	return r.ZFS.ReceiveArgs(in.Dataset, o)
}

// Receive receives one stream. Progress, where it is not nil, is told now and
// then how many bytes came. Whatever it returns, what is on the receiver
// counts: a cut stream may be complete, and a good one is to be confirmed.
func (r *Receiver) Receive(ctx context.Context, in transfer.ReceiveRequest, stream *transfer.Stream, progress func(uint64)) (transfer.Received, error) {
	if err := r.CheckReceive(ctx, in); err != nil {
		stream.Close()
		return transfer.Received{}, err
	}
	if stream.Framed != nil {
		got, err := r.receiveFramed(ctx, in, stream, progress)
		if stream.Done == nil {
			return got, err
		}
		why := stream.Done(err == nil)
		if link := (*transfer.LinkError)(nil); errors.As(err, &link) && why != nil && ctx.Err() == nil {
			err = &transfer.LinkError{Err: fmt.Errorf("%w: %w", err, why)}
		}
		return got, err
	}
	return r.join(ctx, in, stream.Args)
}

// expect is the value of zrecv-frame -expect-zfs.
func expect(in transfer.ReceiveRequest) string {
	s := "to=" + in.To.String()
	if in.From != 0 {
		s += ",from=" + in.From.String()
	}
	if in.Chained {
		s += ",chain"
	}
	if in.Send.Properties && !in.Resume {
		s += ",properties"
	}
	return s
}

func (r *Receiver) receiveFramed(ctx context.Context, in transfer.ReceiveRequest, stream *transfer.Stream, progress func(uint64)) (got transfer.Received, err error) {
	receive, err := r.receiveArgs(in)
	if err != nil {
		return got, err
	}
	status, statusEnd, err := child.Pipe()
	if err != nil {
		return got, err
	}
	defer status.Close()
	args := append([]string{}, r.RecvFrame...)
	args = append(args, "-status-fd", "3", "-expect-zfs", expect(in))
	extra := []*os.File{statusEnd}
	if progress != nil {
		lines, linesEnd, err := child.Pipe()
		if err != nil {
			statusEnd.Close()
			return got, err
		}
		args, extra = append(args, "-progress-fd", "4"), append(extra, linesEnd)
		defer follow(lines, progress)() // last, when nobody writes any more
		defer linesEnd.Close()
	}
	args = append(append(args, "--"), receive...)
	said := &child.Tail{}
	p, err := child.Start(ctx, child.Cmd{Args: args, Stdin: stream.Framed, Stderr: said,
		Extra: append(extra, r.Inherit...), Group: true, Lifeline: true})
	for _, f := range extra {
		f.Close()
	}
	if err != nil {
		return got, err
	}
	s := p.Wait()
	got, err = judgeFrame(status, s)
	if err == nil && in.Over {
		err = r.ZFS.Inherit(ctx, PlaceholderProperty, in.Dataset)
	}
	return got, err
}

// join runs the command that sends and the one that receives with one pipe
// between them.
func (r *Receiver) join(ctx context.Context, in transfer.ReceiveRequest, send []string) (got transfer.Received, err error) {
	receive, err := r.receiveArgs(in)
	if err != nil {
		return got, err
	}
	out, into, err := child.Pipe()
	if err != nil {
		return got, err
	}
	var said [2]child.Tail
	rp, err := child.Start(ctx, child.Cmd{Args: receive, Stdin: out, Stderr: &said[1], Extra: r.Inherit, Group: true})
	out.Close()
	if err != nil {
		into.Close()
		return got, err
	}
	sp, err := child.Start(ctx, child.Cmd{Args: send, Stdout: into, Stderr: &said[0], Extra: r.Inherit, Group: true})
	into.Close()
	if err != nil {
		rp.Kill()
		rp.Wait()
		return got, err
	}
	ss, rs := sp.Wait(), rp.Wait()
	switch {
	case ctx.Err() != nil:
		return got, ctx.Err()
	case rs.OK() && ss.OK():
	case !ss.OK() && (rs.OK() || cutShort(rs)):
		return got, fmt.Errorf("zfs send: %s", told(ss))
	default:
		return got, fmt.Errorf("zfs receive: %s", told(rs))
	}
	if in.Over {
		err = r.ZFS.Inherit(ctx, PlaceholderProperty, in.Dataset)
	}
	return got, err
}
