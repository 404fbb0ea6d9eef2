package frame

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// blame finds out whether a fault is the command's own: it has ended.
func (r *receiver) blame(err error) error {
	if !errors.Is(err, unix.EPIPE) && !errors.Is(err, ErrConsumerGone) {
		return err
	}
	// Its input was closed: it is ending, or else it does not want more.
	select {
	case <-r.Command.Done():
	case <-time.After(abandonAfter):
		return fmt.Errorf("%w: it closed its input", ErrConsumerGone)
	}
	if failed := r.commandError(); failed != nil {
		return failed
	}
	return ErrConsumerGone
}

// awaitCommand waits for the end of a command that has all of its input.
func (r *receiver) awaitCommand() error {
	select {
	case <-r.Command.Done():
		return r.commandError()
	case <-r.watch.ctx.Done():
		r.Command.Kill()
		return r.watch.cancelled()
	}
}

// commandError is how an ended command failed, or nil.
func (r *receiver) commandError() error {
	var end End
	end.Exit, end.Signal, end.Stderr = r.Command.Result()
	if end.Exit == 0 {
		return nil
	}
	return &CommandError{end}
}

// interrupted is an error once the context is cancelled, or the command has
// failed. A command that has ended well may have seen the end of its input in
// the data itself, as zfs receive does: what counts is whether more comes.
func (r *receiver) interrupted() error {
	if err := r.watch.cancelled(); err != nil {
		return err
	}
	if r.Command == nil {
		return nil
	}
	if code, ended := r.Command.Exited(); ended && code != 0 {
		return ErrConsumerGone
	}
	return nil
}

// consumerGone is interrupted for one who waits to write.
func (r *receiver) consumerGone() error {
	if r.watch.commandEnded() {
		return ErrConsumerGone
	}
	return r.interrupted()
}
