package rpc

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// write writes all of p. The far side must take something every limit.
func (w *wire) write(p []byte, limit time.Duration) error {
	for now := !w.noWriteNow; len(p) > 0; now = false {
		n, err := 0, error(nil)
		if now && w.interrupted() == nil {
			n, err = w.writeNow(p)
		} else {
			if err := w.awaitOutput(limit); err != nil {
				return err
			}
			n, err = w.writeSome(p)
		}
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err == unix.EPIPE || err == unix.ECONNRESET:
			return ErrHungUp
		case now && err != nil:
			w.noWriteNow = true
		case err != nil:
			return os.NewSyscallError("write", err)
		}
		if n > 0 {
			w.sent += int64(n)
			p = p[n:]
		}
	}
	return nil
}

// awaitOutput waits until something can be written.
func (w *wire) awaitOutput(limit time.Duration) error {
	fds := [3]unix.PollFd{{Fd: int32(w.out()), Events: unix.POLLOUT}, {Fd: int32(w.wakeR.Fd()), Events: unix.POLLIN},
		{Fd: int32(w.in()), Events: unix.POLLIN}}
	watched := fds[:2]
	if w.earlyReply {
		watched = fds[:]
	}
	if err := w.poll(watched, time.Time{}, limit); err != nil {
		return err
	}
	switch {
	case fds[0].Revents != 0:
		return nil
	case fds[2].Revents != 0:
		return errReply
	}
	return &TimeoutError{Doing: "it does not read what we send", Limit: limit}
}

// writeNow writes what can be written without waiting.
func (w *wire) writeNow(p []byte) (int, error) {
	if w.socket {
		return w.writeSome(p)
	}
	return writeNow(w.out(), p)
}

// writeSome writes what can be written without waiting, once poll has said
// that something can. A pipe then takes one atomic write.
func (w *wire) writeSome(p []byte) (int, error) {
	if w.socket {
		return unix.SendmsgN(w.out(), p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}
	return unix.Write(w.out(), p[:min(len(p), pipeBuf)])
}

// canWrite tells whether a short write would not wait.
func (w *wire) canWrite() bool {
	fds := [1]unix.PollFd{{Fd: int32(w.out()), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n == 1 && fds[0].Revents == unix.POLLOUT
}
