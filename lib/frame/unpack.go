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
	type end struct {
		t   *Trailer
		err error
	}
	over := make(chan end, 1)
	link, err := r.linkTo(ctx, u)
	if err != nil {
		u.In.Close()
		u.Command.Kill()
		return nil, err
	}
	go func() {
		defer link.watch.close()
		t, err := link.run()
		over <- end{t, unpackError(err)}
	}()
	if err := r.drain(u.Out); err != nil {
		cancel(err)
		u.Command.Kill()
		select {
		case <-over:
		case <-time.After(abandonAfter): // it reads from who does not write
		}
		return nil, err
	}
	e := <-over
	return e.t, e.err
}

// linkTo makes what passes the frames on to the decompressor. From here on it
// reads the input.
func (r *receiver) linkTo(ctx context.Context, u Unpacker) (*receiver, error) {
	link := &receiver{ctx: ctx, r: r.r, in: r.in, ReceiveOptions: ReceiveOptions{
		In: r.In, Stall: r.Stall, Split: u.Check, Moved: r.Linked, Shared: r.Shared}}
	if link.Moved == nil {
		link.Moved = new(atomic.Uint64)
	}
	link.r.r = receiveIn{link}
	return link, link.attach(u.In, u.Command)
}

// drain passes on what the decompressor writes, to its end.
func (r *receiver) drain(out *os.File) error {
	from, err := newPort(out)
	if err != nil {
		return fmt.Errorf("cannot read: %w", err)
	}
	buf := make([]byte, copyFrame)
	for {
		if err := r.interrupted(); err != nil {
			return err
		}
		ready, _, err := r.watch.poll([]unix.PollFd{{Fd: int32(from.fd), Events: unix.POLLIN}}, -1)
		if err != nil {
			return err
		}
		if !ready {
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
