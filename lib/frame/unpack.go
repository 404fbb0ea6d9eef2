package frame

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
)

// Unpack starts what decompresses one stream.
type Unpack func() (Unpacker, error)

// Unpacker is a program that decompresses.
type Unpacker struct {
	In, Out *os.File // its stdin, which is Receive's to close, and its stdout, which is not
	Command Command
	Check   Splitter // looks at the compressed data before the program does; of one part
}

// unpack receives the rest of a stream whose data is compressed. Its frames go
// to the decompressor, and what that writes is split and passed on as the data
// of other streams is.
func (r *receiver) unpack() (*Trailer, error) {
	u, err := r.Unpack()
	if err != nil {
		return nil, fmt.Errorf("cannot decompress the stream: %w", err)
	}
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	link, err := r.linkTo(ctx, u)
	if err != nil {
		u.In.Close()
		u.Command.Kill()
		return nil, err
	}
	l := &linkEnd{over: make(chan struct{})}
	go func() {
		defer close(l.over)
		defer link.watch.close()
		l.t, l.err = link.run()
		l.err = unpackError(l.err)
	}()
	if err := r.drain(u, l); err != nil {
		if l.failed() && r.ctx.Err() == nil { // that came first
			u.Command.Kill()
			return l.t, l.err
		}
		cancel(err)
		u.Command.Kill()
		select {
		case <-l.over:
		case <-time.After(abandonAfter): // it reads from who does not write
		}
		return nil, err
	}
	<-l.over
	if l.err != nil {
		r.settle()
	}
	return l.t, l.err
}

// linkEnd is how the frames of a compressed stream ended.
type linkEnd struct {
	over chan struct{} // closed when the rest is valid
	t    *Trailer
	err  error
}

// failed reports, without waiting, whether they ended in an error.
func (l *linkEnd) failed() bool {
	select {
	case <-l.over:
		return l.err != nil
	default:
		return false
	}
}

// lingerFor is how long what came of a compressed stream that failed is still
// passed on. Decompressors read ahead, and whoever takes a part of a stream to
// resume it later wants what has come.
const lingerFor = 15 * time.Second

// leavesGood reports whether what came before an error is good.
func leavesGood(err error) bool {
	var failed *FailedError
	return errors.As(err, &failed) || errors.Is(err, ErrCut) || errors.Is(err, ErrReset) || errors.Is(err, ErrStall)
}

// linkTo makes what passes the frames on to the decompressor. From here on it
// reads the input.
func (r *receiver) linkTo(ctx context.Context, u Unpacker) (*receiver, error) {
	link := &receiver{ctx: ctx, unpacks: true, r: r.r, in: r.in, ReceiveOptions: ReceiveOptions{
		In: r.In, Stall: r.Stall, Split: u.Check, Moved: r.Linked, Shared: r.Shared}}
	if link.Moved == nil {
		link.Moved = new(atomic.Uint64)
	}
	link.r.r = receiveIn{link}
	return link, link.attach(u.In, u.Command)
}

// drain passes on what the decompressor writes, to its end: some time at most
// once the frames have failed.
func (r *receiver) drain(u Unpacker, l *linkEnd) error {
	from, err := newPort(u.Out)
	if err != nil {
		return fmt.Errorf("cannot read: %w", err)
	}
	buf := make([]byte, copyFrame)
	var until time.Time
	for {
		if err := r.interrupted(); err != nil {
			return err
		}
		switch {
		case !l.failed():
		case until.IsZero():
			until = time.Now().Add(lingerFor)
		case time.Now().After(until):
			return errLingered
		}
		_, ended := u.Command.Exited()
		ready, late, err := r.watch.poll([]unix.PollFd{{Fd: int32(from.fd), Events: unix.POLLIN}}, heldGrace)
		switch {
		case err != nil:
			return err
		case late && ended:
			return errUnpackerHeld
		case !ready:
			continue
		}
		n, err := from.read(buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			continue
		case err != nil || n == 0:
			return err
		}
		if err := r.pass(buf[:n]); err != nil {
			return err
		}
	}
}

// settleFor is how long a command may take to read what is in its pipe.
const settleFor = 5 * time.Second

// settle waits until the command has read what was passed on last, before it
// is killed. What the decompressor held back came all at once.
func (r *receiver) settle() {
	if r.out == nil || r.Command == nil {
		return
	}
	for end := time.Now().Add(settleFor); r.out.unread() > 0 && r.consumerGone() == nil && time.Now().Before(end); {
		if _, _, err := r.watch.poll(nil, 5*time.Millisecond); err != nil {
			return
		}
	}
}

var (
	errLingered     = errors.New("the decompressor does not end")
	errUnpackerHeld = errors.New("the decompressor ended, but something it started keeps its output open")
)

// unpackError says of an error of the decompressor what is wrong with the
// stream. One that was killed says nothing of the stream.
func unpackError(err error) error {
	var failed *CommandError
	var refused *RefusedError
	switch {
	case errors.As(err, &failed) && failed.End.Signal != "":
		return fmt.Errorf("the decompressor was killed by %s", failed.End.Signal)
	case errors.As(err, &failed):
		return corrupt("it cannot be decompressed: %s", clean.Line(failed.End.Stderr, 500))
	case errors.As(err, &refused):
		return corrupt("%v", refused.Err)
	case errors.Is(err, ErrConsumerGone), errors.Is(err, unix.EPIPE):
		return corrupt("it cannot be decompressed")
	}
	return err
}
