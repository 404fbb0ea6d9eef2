package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// minRate is what a peer must manage inside a frame, in bytes a second, once
// the limit for its start has passed.
const minRate = 4 << 10

// sniffed is how much of the first message's start is kept, to name what it
// is if it is none.
const sniffed = 256

// errReply interrupts the sending of a request that the far side has already
// answered.
var errReply = errors.New("the far side replies early")

// wire reads and writes the two descriptors. It never reads more than it is
// asked for, and never waits without a limit in poll(2).
type wire struct {
	inFile, outFile *os.File
	socket          bool // out is a socket
	wakeR, wakeW    *os.File
	cause           atomic.Pointer[error] // set before wakeW is written to
	earlyReply      bool                  // a write gives way to a reply
	noReadNow       bool                  // the system or the descriptor can't
	noWriteNow      bool

	silence  time.Duration // until the next frame's first byte; 0: no limit
	start    time.Duration // from then on
	began    time.Time     // when the first byte came
	inFrame  bool
	more     bool         // of a message of which something has come
	got      int          // bytes of this frame
	deadline time.Time    // of everything that is waited for; zero: none
	until    TimeoutError // what to say when it has passed
	received int64
	sent     int64
	head     []byte // the first bytes of all; nil once a message was good
}

func newWire(in, out *os.File) (*wire, error) {
	w := &wire{inFile: in, outFile: out, head: make([]byte, 0, sniffed)}
	var stat unix.Stat_t
	if err := unix.Fstat(w.out(), &stat); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	w.socket = uint32(stat.Mode)&unix.S_IFMT == unix.S_IFSOCK
	var wake [2]int
	if err := unix.Pipe2(wake[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	w.wakeR, w.wakeW = os.NewFile(uintptr(wake[0]), "wake"), os.NewFile(uintptr(wake[1]), "wake")
	return w, nil
}

// in and out are asked each time: a file that its owner has closed is -1, and
// its old number may be somebody else's.
func (w *wire) in() int  { return int(w.inFile.Fd()) }
func (w *wire) out() int { return int(w.outFile.Fd()) }

// interrupt ends every wait, now and later, with err. The first one counts.
func (w *wire) interrupt(err error) {
	if w.cause.CompareAndSwap(nil, &err) {
		w.wakeW.Write([]byte{0})
	}
}

func (w *wire) interrupted() error {
	if p := w.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// during makes ctx end every wait until stop is called.
func (w *wire) during(ctx context.Context) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() { w.interrupt(context.Cause(ctx)) })
}

func (w *wire) release() {
	w.wakeR.Close()
	w.wakeW.Close()
}

// expect says that a frame comes next: its first byte within silence, the
// rest within start and its length at the lowest rate.
func (w *wire) expect(silence, start time.Duration) {
	w.silence, w.start, w.inFrame, w.got = silence, start, false, 0
}

// Read is for the reader of frames. In the middle of a message the next bytes
// are usually there, and asking whether they are costs as much as taking them.
func (w *wire) Read(p []byte) (int, error) {
	for now := w.more && !w.noReadNow; ; now = false {
		n, err := 0, error(nil)
		if now {
			if err := w.interrupted(); err != nil {
				return 0, err
			}
			n, err = readNow(w.in(), p)
		} else {
			if err := w.awaitInput(); err != nil {
				return 0, err
			}
			n, err = unix.Read(w.in(), p)
		}
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			continue
		case now && err != nil:
			w.noReadNow = true // whatever it is, poll and read will tell
			continue
		case err == unix.ECONNRESET, err == nil && n == 0:
			return 0, io.EOF
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		}
		w.count(p[:n])
		return n, nil
	}
}

func (w *wire) count(p []byte) {
	if !w.inFrame {
		w.inFrame, w.began = true, time.Now()
	}
	w.more = true
	w.got += len(p)
	w.received += int64(len(p))
	if w.head != nil && len(w.head) < cap(w.head) {
		w.head = append(w.head, p[:min(len(p), cap(w.head)-len(w.head))]...)
	}
}

func (w *wire) awaitInput() error {
	fds := [2]unix.PollFd{{Fd: int32(w.in()), Events: unix.POLLIN}, {Fd: int32(w.wakeR.Fd()), Events: unix.POLLIN}}
	limit, since := w.silence, time.Time{}
	if w.inFrame {
		limit, since = w.start+time.Duration(w.got)*time.Second/minRate, w.began
	}
	last := false
	if !w.deadline.IsZero() {
		now := time.Now()
		if since.IsZero() {
			since = now
		}
		if all := max(w.deadline.Sub(since), time.Nanosecond); limit == 0 || all < limit {
			limit, last = all, true
		}
	}
	if err := w.poll(fds[:], since, limit); err != nil {
		return err
	}
	if fds[0].Revents == 0 && last {
		return &w.until
	}
	if fds[0].Revents == 0 {
		return &TimeoutError{Doing: w.doing(), Limit: limit.Round(time.Millisecond)}
	}
	return nil
}

func (w *wire) doing() string {
	if w.inFrame {
		return fmt.Sprintf("%d bytes of a frame came", w.got)
	}
	return "no sign of life"
}

// poll waits for an event on a descriptor other than the second, which wakes
// it up, until limit after since (zero: now). It returns with no event when
// that has passed. A limit of 0 is none.
func (w *wire) poll(fds []unix.PollFd, since time.Time, limit time.Duration) error {
	if since.IsZero() && limit > 0 {
		since = time.Now()
	}
	for {
		timeout := -1
		if limit > 0 {
			timeout = int(min(max(0, (limit-time.Since(since)+time.Millisecond-1)/time.Millisecond), math.MaxInt32))
		}
		n, err := unix.Poll(fds, timeout)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n > 0 && fds[1].Revents != 0:
			return w.interrupted()
		case n > 0 || timeout == 0:
			return nil
		}
	}
}

// gone waits at most limit for the far side to stop reading for good, or for
// an interrupt.
func (w *wire) gone(limit time.Duration) bool {
	fds := [2]unix.PollFd{{Fd: int32(w.out())}, {Fd: int32(w.wakeR.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], int(limit/time.Millisecond))
	return err == nil && n > 0
}

// words returns what came instead of the first message, if it is text. It
// waits a moment for the rest of the line.
func (w *wire) words() string {
	if len(w.head) == 0 {
		return ""
	}
	until := time.Now().Add(200 * time.Millisecond)
	for len(w.head) < cap(w.head) {
		w.expect(max(time.Until(until), time.Millisecond), time.Millisecond)
		var more [64]byte
		if _, err := w.Read(more[:min(64, cap(w.head)-len(w.head))]); err != nil {
			break
		}
	}
	text := w.head
	if i := bytes.IndexFunc(text, unprintable); i >= 0 {
		text = text[:bytes.LastIndexByte(text[:i], '\n')+1] // an echo of ours may follow
	}
	return child.Clean(string(text), 120)
}

// unprintable tells what is in no text for people, save for terminals' escapes.
func unprintable(c rune) bool {
	return c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != 0x1b
}
