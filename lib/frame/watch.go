package frame

import (
	"context"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Command is the program at the other end of a pipe: the producer of Send, or
// the consumer of Receive. child.Process is one.
type Command interface {
	Done() <-chan struct{}                     // closed when it has ended
	Exited() (code int, ended bool)            // without waiting
	Result() (code int, signal, stderr string) // waits for its end, and not long for that of its stderr
	Kill()                                     // it and its process group, at once
	Finish()                                   // it was given all of its input
}

// watch wakes a poll(2) when the context is cancelled or the command ends.
// Descriptors are waited for this way, and not by Go's runtime, because that
// needs O_NONBLOCK, which everyone who shares a descriptor would see.
type watch struct {
	ctx  context.Context
	cmd  Command
	r, w *os.File
	fd   int
	stop chan struct{}
	over chan struct{}
}

func newWatch(ctx context.Context, cmd Command) (*watch, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	w := &watch{ctx: ctx, cmd: cmd, fd: fds[0], stop: make(chan struct{}), over: make(chan struct{})}
	w.r, w.w = os.NewFile(uintptr(fds[0]), "wake"), os.NewFile(uintptr(fds[1]), "wake")
	go w.wake()
	return w, nil
}

// wake writes a byte for each thing that happens.
func (w *watch) wake() {
	defer close(w.over)
	var ended <-chan struct{}
	if w.cmd != nil {
		ended = w.cmd.Done()
	}
	cancelled := w.ctx.Done()
	for {
		select {
		case <-w.stop:
			return
		case <-ended:
			ended = nil
		case <-cancelled:
			cancelled = nil
		}
		w.w.Write([]byte{0})
	}
}

func (w *watch) close() {
	close(w.stop)
	<-w.over
	w.r.Close()
	w.w.Close()
}

// cancelled is why the context was cancelled, or nil.
func (w *watch) cancelled() error {
	if w.ctx.Err() == nil {
		return nil
	}
	return context.Cause(w.ctx)
}

// commandEnded tells whether there is a command that has ended.
func (w *watch) commandEnded() bool {
	if w.cmd == nil {
		return false
	}
	_, ended := w.cmd.Exited()
	return ended
}

// poll waits until one of fds has something to report. It returns early, with
// ready unset, when the timeout has passed (late is set then; a negative
// timeout never passes) or something has happened that wake tells.
func (w *watch) poll(fds []unix.PollFd, timeout time.Duration) (ready, late bool, err error) {
	ms := -1
	if timeout >= 0 {
		ms = int(min((timeout+time.Millisecond-1)/time.Millisecond, math.MaxInt32))
	}
	var all [3]unix.PollFd // most wait for two
	n := copy(all[1:], fds)
	all[0] = unix.PollFd{Fd: int32(w.fd), Events: unix.POLLIN}
	got, err := unix.Poll(all[:1+n], ms)
	copy(fds, all[1:])
	switch {
	case err == unix.EINTR:
		return false, false, nil
	case err != nil:
		return false, false, os.NewSyscallError("poll", err)
	case got == 0:
		return false, true, nil
	}
	if all[0].Revents != 0 {
		var b [16]byte
		unix.Read(w.fd, b[:])
		got--
	}
	return got > 0, false, nil
}
