package frame

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/rate"
)

// SendOptions says what Send moves from where to where. The descriptors stay
// the caller's, and no flag of theirs is changed; pipes may be enlarged.
type SendOptions struct {
	In        *os.File
	Out       *os.File
	Checksum  Checksum
	Heartbeat time.Duration  // of silence before a heartbeat; 0: none
	Rate      int64          // bytes a second, at most; 0: no limit
	Shared    rate.All       // limits that others share; none: no limit
	Command   Command        // whose stdout In is; nil if In is anything else
	Inspect   Inspect        // looks at the beginning of the data; may be nil
	Moved     *atomic.Uint64 // counts the data as it moves; may be nil
	Plain     bool           // copy through a buffer, whatever could be faster
	Pack      string         // how the data is compressed, which In already is; empty: not at all
	Fault     func() error   // what else failed, once the command has ended; may be nil
}

// Inspect looks at the beginning of the data before any of it is sent. It is
// called with nothing at first. It returns how many bytes it needs to see, and
// is called again when there are as many, until it returns no more than it was
// shown. An error refuses the stream, and so does an end before that.
type Inspect func(beginning []byte) (need int, err error)

// heldGrace is how long the output of a command that has ended may be silent
// without ending, which only something the command started can cause.
const heldGrace = 2 * time.Second

// Send reads In to its end and writes it to Out as one framed stream, and no
// byte more. It returns the trailer that it wrote. The error is nil only if
// the trailer says ok; *FailedError says that the trailer reports a failure of
// the input or of the command.
//
// On any other error the command is killed. Where ctx is cancelled while a
// write blocks, Send returns without having ended it: Out must then not be
// used or closed before the process ends.
func Send(ctx context.Context, o SendOptions) (Trailer, error) {
	s, err := newSender(ctx, o)
	if err != nil {
		if o.Command != nil {
			o.Command.Kill()
		}
		return Trailer{}, err
	}
	return detach(ctx, s.kill, func() (Trailer, error) {
		defer s.close()
		t, err := s.run()
		if err != nil && !errors.As(err, new(*FailedError)) {
			t = Trailer{} // it was not written
		}
		return t, err
	})
}

type sender struct {
	SendOptions
	w       *Writer
	in, out *port
	watch   *watch
	limit   *limiter
	buf     []byte
	fast    *fastSender // nil: by copying
	inFrame bool        // the frame that was begun is not complete
	unseen  bool        // the beginning was not inspected yet
	silent  time.Time   // since when the command's output is held open and silent
}

func newSender(ctx context.Context, o SendOptions) (*sender, error) {
	s := &sender{SendOptions: o, limit: newLimiter(o.Rate)}
	if s.Moved == nil {
		s.Moved = new(atomic.Uint64)
	}
	s.w = NewWriter(sendOut{s}, o.Checksum)
	var err error
	if s.in, err = newPort(o.In); err != nil {
		return nil, fmt.Errorf("cannot read: %w", err)
	}
	if s.out, err = newPort(o.Out); err != nil {
		return nil, fmt.Errorf("cannot write: %w", err)
	}
	if s.watch, err = newWatch(ctx, o.Command); err != nil {
		return nil, err
	}
	s.in.enlarge()
	s.out.enlarge()
	if !o.Plain {
		s.fast = newFastSender(s)
	}
	return s, nil
}

func (s *sender) close() {
	s.watch.close()
	s.fast.close()
}

// run sends the whole stream. A fault of the input becomes a trailer; a fault
// of the output cannot.
func (s *sender) run() (Trailer, error) {
	err := s.w.Header(MakePackedHeader(s.Checksum, s.Pack))
	if s.unseen = s.Inspect != nil; err == nil && s.unseen {
		err = s.inspect()
	}
	for err == nil {
		err = s.step()
	}
	t := Trailer{Status: StatusOK}
	var end *inputEnd
	switch {
	case !errors.As(err, &end):
		s.kill()
		s.giveUp(err)
		return t, err
	case end.err != nil:
		s.kill()
		t.Status, t.Reason = StatusFailed, end.err.Error()
	}
	if s.Command != nil && end.err == nil {
		if err := s.awaitCommand(); err != nil {
			s.kill()
			s.giveUp(err)
			return t, err
		}
		t.Exit, t.Signal, t.Stderr = s.Command.Result()
		if t.Exit != 0 {
			t.Status = StatusFailed
		}
		if s.Fault != nil {
			if err := s.Fault(); err != nil {
				t = Trailer{Status: StatusFailed, Exit: 1, Reason: err.Error()}
			}
		}
	}
	if s.unseen && t.Status == StatusOK {
		refused := &RefusedError{errors.New("it ends before all was seen that is to be looked at")}
		s.giveUp(refused)
		return t, refused
	}
	if err := s.w.Trailer(t); err != nil {
		return t, err
	}
	t.Bytes, t.Frames = s.w.bytes, s.w.frames
	if t.Status != StatusOK {
		return t, &FailedError{t}
	}
	return t, nil
}

// inputEnd is the end of the input, in order or by a fault.
type inputEnd struct{ err error }

func (e *inputEnd) Error() string { return "end of input" }

func (s *sender) kill() {
	if s.Command != nil {
		s.Command.Kill()
	}
}

// giveUp says why in a trailer, where it can be said without waiting.
func (s *sender) giveUp(err error) {
	if s.inFrame || errors.Is(err, syscall.EPIPE) || !s.writable() {
		return
	}
	t := Trailer{Status: StatusFailed, Exit: 1, Reason: err.Error()}
	if errors.As(err, new(*RefusedError)) { // the producer's fault: it would be the same again
		t.Reason, t.Stderr, t.Refused = "", err.Error(), true
	}
	s.w.Trailer(t)
}

// step sends one data frame.
func (s *sender) step() error {
	most, err := s.allowance()
	if err != nil {
		return err
	}
	there := s.fast.atHand()
	if there == 0 {
		if err := s.awaitInput(); err != nil {
			return err
		}
	}
	n, err := s.move(most, there)
	if shared := s.spend(n); err == nil {
		err = shared
	}
	s.Moved.Add(uint64(n))
	return err
}

// move sends what is at hand, at most that many bytes. How many are there is 0
// if it is not known.
func (s *sender) move(most, there int) (int, error) {
	if s.fast != nil {
		n, err := s.fast.move(most, there)
		if err != errNotHere {
			return n, err
		}
		s.fast.close()
		s.fast = nil
	}
	return s.copy(most)
}

// copyFrame is how much a frame carries that goes through a buffer: what the
// caches of a processor hold.
const copyFrame = 256 << 10

// copy is the plain way to move: what it reads is what it sends.
func (s *sender) copy(most int) (int, error) {
	if s.buf == nil {
		s.buf = make([]byte, copyFrame)
	}
	n, err := s.in.read(s.buf[:min(most, len(s.buf))])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, &inputEnd{err}
	case n == 0:
		return 0, &inputEnd{}
	}
	s.inFrame = true
	if err := s.w.Data(s.buf[:n]); err != nil {
		return 0, err
	}
	s.inFrame = false
	return n, nil
}
