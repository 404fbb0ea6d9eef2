package frame

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// allowance waits until the rate allows more, and says how much.
func (s *sender) allowance() (int, error) {
	for {
		now := time.Now()
		n, wait := s.limit.allowance(now)
		shared, longer, err := s.Shared.Allowance(now)
		if err != nil {
			return 0, err
		}
		if n = min(n, shared, MaxData); n > 0 {
			return n, s.watch.cancelled()
		}
		if err := s.idle(nil, max(wait, longer)); err != nil {
			return 0, err
		}
	}
}

// spend counts what was sent.
func (s *sender) spend(n int) error {
	s.limit.spend(n)
	return s.Shared.Spend(n)
}

// awaitInput waits until there is input, or its end.
func (s *sender) awaitInput() error {
	beat := s.nextBeat()
	for {
		fds := []unix.PollFd{{Fd: int32(s.in.fd), Events: unix.POLLIN}}
		if err := s.idle(fds, s.patience(beat)); err != nil {
			return err
		}
		if fds[0].Revents != 0 {
			s.silent = time.Time{}
			return nil
		}
		if err := s.heldOpen(); err != nil {
			return err
		}
		if s.Heartbeat > 0 && !time.Now().Before(beat) {
			if err := s.beat(); err != nil {
				return err
			}
			beat = s.nextBeat()
		}
	}
}

// awaitCommand waits until the command has ended, once its output has.
func (s *sender) awaitCommand() error {
	for beat := s.nextBeat(); !s.watch.commandEnded(); {
		if err := s.idle(nil, s.patience(beat)); err != nil {
			return err
		}
		if s.Heartbeat > 0 && !time.Now().Before(beat) {
			if err := s.beat(); err != nil {
				return err
			}
			beat = s.nextBeat()
		}
	}
	return nil
}

func (s *sender) nextBeat() time.Time { return time.Now().Add(s.Heartbeat) }

// patience is how long to wait at most.
func (s *sender) patience(beat time.Time) time.Duration {
	d := time.Duration(-1)
	if s.Heartbeat > 0 {
		d = max(0, time.Until(beat))
	}
	if s.watch.commandEnded() && (d < 0 || d > heldGrace) {
		d = heldGrace
	}
	return d
}

// heldOpen is an error once the command has ended and its output has been
// silent for a while without ending.
func (s *sender) heldOpen() error {
	switch {
	case !s.watch.commandEnded():
	case s.silent.IsZero():
		s.silent = time.Now()
	case time.Since(s.silent) >= heldGrace:
		return &inputEnd{ErrHeldOpen}
	}
	return nil
}

// idle waits for fds, and notices meanwhile if nobody reads our output.
func (s *sender) idle(fds []unix.PollFd, timeout time.Duration) error {
	if err := s.watch.cancelled(); err != nil {
		return err
	}
	all := append(fds, unix.PollFd{Fd: int32(s.out.fd)})
	_, _, err := s.watch.poll(all, timeout)
	copy(fds, all)
	if err == nil && all[len(fds)].Revents&(unix.POLLERR|unix.POLLHUP) != 0 && s.out.kind != fileKind {
		err = fmt.Errorf("cannot write: %w", unix.EPIPE)
	}
	return err
}

// beat sends a heartbeat, unless it would have to wait.
func (s *sender) beat() error {
	if !s.writable() {
		return nil
	}
	return s.w.Heartbeat()
}

// writable tells whether a few bytes can be written without waiting.
func (s *sender) writable() bool {
	fds := []unix.PollFd{{Fd: int32(s.out.fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLOUT != 0
}

// sendOut is the sender's output as an io.Writer.
type sendOut struct{ s *sender }

func (o sendOut) Write(b []byte) (int, error) {
	return o.s.out.writeAll(b, o.s.watch, o.s.watch.cancelled)
}
