package endpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/rate"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// join runs the command that sends and the one that receives with two pipes
// between them, and passes on what comes.
func (r *Receiver) join(ctx context.Context, in transfer.ReceiveRequest, send []string, progress func(uint64)) (got transfer.Received, err error) {
	receive, err := r.receiveArgs(in, true)
	if err != nil {
		return got, err
	}
	if len(in.Via) == 0 {
		receive[len(receive)-1] += "@" + in.Name
	}
	limits, err := rate.OpenAll(r.Rates)
	if err != nil {
		return got, err
	}
	f := flow{limit: r.Stall, progress: progress}
	watched, stop := f.watch(ctx)
	defer stop()
	var said [2]child.Tail
	rp, into, err := r.startEnd(watched, receive, &said[1], true)
	if err != nil {
		limits.Close()
		return got, err
	}
	sp, from, err := r.startEnd(watched, send, &said[0], false)
	if err != nil {
		limits.Close()
		rp.Kill()
		into.Close()
		rp.Wait()
		return got, err
	}
	broken := make(chan error, 1) // why the limits cannot be used
	usable := func(err error) error {
		if err != nil && len(broken) == 0 {
			broken <- err
		}
		return err
	}
	go func() {
		relay(from, into, &f.moved, func() int {
			n, err := mayMove(watched, limits)
			usable(err)
			return n
		}, func(n int) error { return usable(limits.Spend(n)) })
		from.Close() // zfs send ends where zfs receive has
		into.Close()
		limits.Close() // not before: their descriptors may be others' by then
		f.ending.Store(true)
	}()
	sent, received := ended(watched, sp), ended(watched, rp)
	got.Bytes = f.moved.Load()
	switch s := stalled(watched); {
	case ctx.Err() != nil:
		err = ctx.Err()
	case s != nil:
		err = s
	}
	if !sent || !received {
		return got, err
	}
	ss, rs := sp.Wait(), rp.Wait()
	switch {
	case err != nil:
		return got, err
	case rs.OK() && ss.OK():
		got.Unset = unset(receive, rs)
		r.forget(ctx, in, got.Unset)
	case len(broken) > 0:
		return got, fmt.Errorf("cannot share the rate: %w", <-broken)
	case !ss.OK() && (rs.OK() || zfs.CutShort(rs)):
		return got, fault.With(zfs.SendKind(ss.Stderr), fmt.Errorf("zfs send: %s", told(ss)))
	default:
		return got, fault.With(zfs.ReceiveKind(rs.Stderr), fmt.Errorf("zfs receive: %s", told(rs)))
	}
	if err := r.unmark(ctx, in); err != nil {
		got.Unset = err.Error()
	}
	return got, nil
}

// mayMove waits until the limits allow to move something, and says how much; 0
// if that is of no interest any more, or is not known.
func mayMove(ctx context.Context, limits rate.All) (int, error) {
	const most = 1 << 20
	for {
		n, wait, err := limits.Allowance(time.Now())
		if n > 0 || err != nil {
			return min(n, most), err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, nil
		}
	}
}

// startEnd starts one of the two commands. It returns our end of its pipe.
func (r *Receiver) startEnd(ctx context.Context, args []string, said *child.Tail, receives bool) (*child.Process, *os.File, error) {
	read, write, err := child.Pipe()
	if err != nil {
		return nil, nil, err
	}
	c := child.Cmd{Args: args, Stdout: write, Stderr: said, Extra: r.Inherit, Group: true}
	ours, theirs := read, write
	if receives {
		c.Stdin, c.Stdout, ours, theirs = read, nil, write, read
	}
	p, err := child.Start(ctx, c)
	err = errors.Join(err, theirs.Close())
	if err != nil {
		ours.Close()
	}
	return p, ours, err
}
