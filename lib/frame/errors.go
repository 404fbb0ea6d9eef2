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

func (e *FailedError) Error() string { return "the sender's side failed: " + e.Trailer.How() }

// How says in words how the producer ended.
func (t Trailer) How() string {
	switch {
	case t.Signal != "":
		return "killed by " + t.Signal
	case t.Exit != 0 && t.Reason == "":
		return fmt.Sprintf("exit status %d", t.Exit)
	case t.Reason != "":
		return t.Reason
	}
	return t.Status
}
