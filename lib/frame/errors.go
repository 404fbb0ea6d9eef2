package frame

import (
	"errors"
	"fmt"
	"io"
)

// FormatError says what is wrong with a stream: it was corrupted, or it is
// none.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return "bad stream: " + e.Reason }

func corrupt(format string, args ...any) error {
	return &FormatError{Reason: fmt.Sprintf(format, args...)}
}

var (
	// ErrCut is the end of the input before the trailer.
	ErrCut = fmt.Errorf("the stream was cut before its trailer: %w", io.ErrUnexpectedEOF)
	// ErrReset says that the sender gave up without a trailer.
	ErrReset = errors.New("the sender broke off the stream")
	// ErrStall says that not even heartbeats came for too long.
	ErrStall = errors.New("nothing came from the sender, not even a heartbeat")
	// ErrConsumerGone says that the command ended before the stream did.
	ErrConsumerGone = errors.New("the command ended before the stream did")
	// ErrHeldOpen says that the command has ended, and something else still
	// keeps its output open: where the stream ends cannot be known.
	ErrHeldOpen = errors.New("the command ended, but something it started keeps its output open")
)

// FailedError says that a stream was whole, and that its producer failed.
type FailedError struct{ Trailer Trailer }

func (e *FailedError) Error() string {
	t := e.Trailer
	switch {
	case t.Signal != "":
		return fmt.Sprintf("the sender's command was killed by %s", t.Signal)
	case t.Exit != 0:
		return fmt.Sprintf("the sender's command failed with exit status %d", t.Exit)
	case t.Reason != "":
		return "the sender failed: " + t.Reason
	}
	return "the sender failed"
}
