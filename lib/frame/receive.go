package frame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/rate"
)

// ReceiveOptions says what Receive moves from where to where. In stays the
// caller's, and no flag of its descriptor is changed; pipes may be enlarged.
type ReceiveOptions struct {
	In      *os.File
	Out     *os.File       // nil: the stream is only verified
	Command Command        // whose stdin Out is, which is then Receive's, to close; nil if Out is anything else
	Stall   time.Duration  // how long nothing may come; 0: for ever
	Split   Splitter       // looks at all of the data before it is passed on; may be nil
	Next    Next           // opens the output of each part but the first; nil if Split makes one part only
	Moved   *atomic.Uint64 // counts the data as it is passed on; may be nil
	Ending  *atomic.Bool   // set while a command has all of its input, and has not ended; may be nil
	Shared  rate.All       // limits of what is passed on a second; none: no limit
	Plain   bool           // copy through a buffer, whatever could be faster
	Unpack  Unpack         // decompresses a stream that is compressed; nil: such a stream is refused
	Linked  *atomic.Uint64 // counts the data of such a stream as it comes; may be nil
}

// Splitter looks at the data before it is passed on, leaves out what no output
// is to get, and cuts the rest into parts. Each part has an output of its own.
type Splitter interface {
	// Split takes the next piece of the data. Pass, which may be empty, is to be
	// passed on, and rest given to Split again. The current part ends after pass
	// if last is set, and another one comes. An error refuses the stream. What
	// Split returns is used before its next call.
	Split(piece []byte) (pass, rest []byte, last bool, err error)
	// End is called at the end of a stream whose trailer is good. An error
	// refuses the stream.
	End() error
}

// Next opens the output of the next part, once the command of the one before
// has ended with exit status 0. Out and the command are as in ReceiveOptions.
type Next func() (out *os.File, command Command, err error)

// Receive reads one framed stream from In, and not a byte behind it, and
// writes its data to Out. Data of a stream with checksums is verified before
// it is passed on. The error is nil only if the whole stream was passed on,
// its trailer says that it is good, and the command ended with exit status 0.
// Otherwise it is a *FormatError, ErrCut, ErrReset, ErrStall, *FailedError,
// *CommandError, ErrConsumerGone, *RefusedError, or that of a read or write.
//
// On any fault of the stream the command is killed before its input ends, so
// that it never takes a part for the whole. A slow consumer is no fault. The
// trailer is the zero value if none came.
//
// Where ctx is cancelled while a write blocks, Receive returns without having
// ended it: Out must then not be used or closed before the process ends.
func Receive(ctx context.Context, o ReceiveOptions) (Trailer, error) {
	r, err := newReceiver(ctx, o)
	if err != nil {
		if o.Command != nil {
			o.Command.Kill()
			o.Out.Close()
		}
		return Trailer{}, err
	}
	return detach(ctx, r.kill, func() (Trailer, error) {
		defer r.close()
		t, err := r.run()
		if t == nil {
			t = &Trailer{}
		}
		return *t, err
	})
}

type receiver struct {
	ReceiveOptions
	ctx     context.Context
	r       *Reader
	in      *port
	out     *port // nil: none
	watch   *watch
	buf     []byte
	fast    *fastReceiver // nil: by copying
	unpacks bool          // the command is a decompressor, which keeps what it holds back
	current atomic.Pointer[Command]
}

func newReceiver(ctx context.Context, o ReceiveOptions) (*receiver, error) {
	r := &receiver{ReceiveOptions: o, ctx: ctx}
	if r.Moved == nil {
		r.Moved = new(atomic.Uint64)
	}
	r.r = NewReader(receiveIn{r})
	r.r.packs = r.Unpack != nil
	var err error
	if r.in, err = newPort(o.In); err != nil {
		return nil, fmt.Errorf("cannot read: %w", err)
	}
	r.in.enlarge()
	if err := r.attach(o.Out, o.Command); err != nil {
		return nil, err
	}
	if !o.Plain && o.Split == nil {
		r.fast = newFastReceiver(r)
	}
	return r, nil
}

func (r *receiver) close() {
	r.watch.close()
	r.fast.close()
}

// run receives the whole stream and, of a command, its end.
func (r *receiver) run() (*Trailer, error) {
	t, err := r.stream()
	if err == nil && t.Status != StatusOK {
		err = &FailedError{*t}
	}
	if err == nil && r.Split != nil {
		if refused := r.Split.End(); refused != nil {
			err = &RefusedError{refused}
		}
	}
	if r.Command == nil {
		return t, err
	}
	if err != nil {
		err = r.blame(err)
		if !r.unpacks || !leavesGood(err) || r.ctx.Err() != nil {
			r.Command.Kill() // first; only then may its input end
		}
		r.Out.Close()
		return t, err
	}
	return t, r.endPart()
}

// stream reads to the trailer.
func (r *receiver) stream() (*Trailer, error) {
	for {
		if err := r.throttle(); err != nil {
			return nil, err
		}
		before := r.Moved.Load()
		t, err := r.frame()
		if err == nil && r.r.pack != "" && r.Unpack != nil {
			return r.unpack()
		}
		if shared := r.Shared.Spend(int(r.Moved.Load() - before)); err == nil {
			err = shared
		}
		if err == io.EOF {
			err = fmt.Errorf("nothing came: %w", ErrCut)
		}
		if err != nil || t != nil {
			return t, err
		}
	}
}

// throttle waits until the limits allow another frame.
func (r *receiver) throttle() error {
	for len(r.Shared) > 0 {
		n, wait, err := r.Shared.Allowance(time.Now())
		if n > 0 || err != nil {
			return err
		}
		if err := r.interrupted(); err != nil {
			return err
		}
		if _, _, err := r.watch.poll(nil, wait); err != nil {
			return err
		}
	}
	return nil
}

// frame reads one frame and passes its data on.
func (r *receiver) frame() (*Trailer, error) {
	r.fast.ready()
	if _, err := io.ReadFull(r.r.r, r.r.pre[:]); err != nil {
		return nil, r.r.cut(err)
	}
	r.r.begun = true
	p, err := r.r.accept(r.r.pre[:])
	if err != nil {
		return nil, err
	}
	if p.typ == TypeData && r.fast != nil {
		err := r.fast.move(p)
		if err != errNotHere {
			return nil, err
		}
		r.fast.close()
		r.fast = nil
	}
	f, err := r.whole(p)
	switch {
	case err != nil:
		return nil, err
	case f.Type == TypeData:
		return nil, r.pass(f.Payload)
	case f.Type == TypeTrailer:
		return f.Trailer, nil
	}
	return nil, nil
}

// whole reads what follows a frame's prefix into the buffer and checks it.
func (r *receiver) whole(p prefix) (Frame, error) {
	if cap(r.buf) < int(p.length) {
		r.buf = make([]byte, p.length)
	}
	body := r.buf[:p.length]
	if _, err := io.ReadFull(r.r.r, body); err != nil {
		return Frame{}, r.r.cut(err)
	}
	return r.r.finish(p, body)
}

// pass passes checked data on, each part of it to its own output.
func (r *receiver) pass(data []byte) error {
	if r.Split == nil {
		return r.put(data)
	}
	for len(data) > 0 {
		pass, rest, last, err := r.Split.Split(data)
		if err != nil {
			return &RefusedError{err}
		}
		if err := r.put(pass); err != nil {
			return err
		}
		if last && r.out != nil {
			if err := r.nextPart(); err != nil {
				return err
			}
		}
		data = rest
	}
	return nil
}

// put writes to the current output.
func (r *receiver) put(data []byte) error {
	if r.out != nil && len(data) > 0 {
		if _, err := r.out.writeAll(data, r.watch, r.consumerGone); err != nil {
			return err
		}
	}
	r.Moved.Add(uint64(len(data)))
	return nil
}

// awaitInput waits until there is input, or its end, but no longer than Stall.
func (r *receiver) awaitInput() error {
	since := time.Now()
	for {
		if err := r.interrupted(); err != nil {
			return err
		}
		patience := time.Duration(-1)
		if r.Stall > 0 {
			patience = max(0, r.Stall-time.Since(since))
		}
		ready, late, err := r.watch.poll([]unix.PollFd{{Fd: int32(r.in.fd), Events: unix.POLLIN}}, patience)
		switch {
		case ready || err != nil:
			return err
		case late:
			return ErrStall
		}
	}
}

// receiveIn is the receiver's input as an io.Reader.
type receiveIn struct{ r *receiver }

func (i receiveIn) Read(b []byte) (int, error) {
	for {
		if err := i.r.awaitInput(); err != nil {
			return 0, err
		}
		n, err := i.r.in.read(b)
		switch {
		case errors.Is(err, unix.EAGAIN):
		case err == nil && n == 0:
			return 0, io.EOF
		default:
			return n, err
		}
	}
}
