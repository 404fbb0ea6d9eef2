package frame

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
)

// The ways in which Send and Receive end, for programs to tell apart.
const (
	Done           = "done"            // all of it moved, and everyone says that it is good
	ProducerFailed = "producer-failed" // the trailer reports a failure
	CommandFailed  = "command-failed"  // the consumer failed, or ended too early
	Corrupt        = "corrupt"         // a bad frame or a bad checksum
	Cut            = "cut"             // the input ended before the trailer, or the sender broke off
	Stall          = "stall"           // nothing came for too long
	Refused        = "refused"         // the stream is not what was asked for
	ReaderGone     = "reader-gone"     // nobody reads our output
	Interrupted    = "interrupted"     // cancelled, by a signal for instance
	Failed         = "failed"          // anything else
)

// Outcome is a line of -status-fd.
type Outcome struct {
	Outcome string   `json:"outcome"`
	Exit    int      `json:"exit"`              // our exit status
	Error   string   `json:"error,omitempty"`   // what a person is told
	Bytes   uint64   `json:"bytes"`             // data that was moved
	Link    uint64   `json:"link,omitempty"`    // what that was, compressed, if it was
	Trailer *Trailer `json:"trailer,omitempty"` // where one was sent or received
	Command *End     `json:"command,omitempty"` // how zrecv-frame's command ended
	Stderr  string   `json:"stderr,omitempty"`  // the last lines of the command's, with -each
}

// End is how a command ended.
type End struct {
	Exit   int    `json:"exit"` // 128+n if signal n killed it
	Signal string `json:"signal,omitempty"`
	Stderr string `json:"stderr,omitempty"` // its last lines
}

// CommandError says that the consumer failed.
type CommandError struct{ End End }

func (e *CommandError) Error() string {
	if e.End.Signal != "" {
		return "the command was killed by " + e.End.Signal
	}
	return fmt.Sprintf("the command failed with exit status %d", e.End.Exit)
}

// RefusedError says that an inspection did not let the stream pass.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return "the stream is refused: " + e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// NewOutcome sorts the error of Send or Receive and finds the exit status: 0
// for none, a failed command's own, 141 (as SIGPIPE would) where nobody reads
// our output, and 1.
func NewOutcome(t Trailer, bytes uint64, err error) Outcome {
	o := Outcome{Outcome: Failed, Exit: 1, Bytes: bytes}
	if t.Status != "" {
		o.Trailer = &t
	}
	if err == nil {
		o.Outcome, o.Exit = Done, 0
		return o
	}
	o.Error = err.Error()
	var (
		format  *FormatError
		failed  *FailedError
		command *CommandError
		refused *RefusedError
		coded   interface{ ExitStatus() int }
	)
	switch {
	case errors.As(err, &command):
		o.Outcome, o.Command = CommandFailed, &command.End
		o.Exit = max(1, command.End.Exit)
	case errors.As(err, &failed):
		o.Outcome, o.Trailer = ProducerFailed, &failed.Trailer
	case errors.As(err, &refused):
		o.Outcome = Refused
	case errors.As(err, &format):
		o.Outcome = Corrupt
	case errors.Is(err, ErrCut), errors.Is(err, ErrReset):
		o.Outcome = Cut
	case errors.Is(err, ErrStall):
		o.Outcome = Stall
	case errors.Is(err, ErrConsumerGone):
		o.Outcome = CommandFailed
	case errors.Is(err, syscall.EPIPE):
		o.Outcome, o.Exit = ReaderGone, 128+int(syscall.SIGPIPE)
	case errors.As(err, &coded):
		o.Outcome, o.Exit = Interrupted, coded.ExitStatus()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		o.Outcome = Interrupted
	}
	return o
}

// Line is the outcome as one line of JSON.
func (o Outcome) Line() []byte {
	b, err := clean.JSON(o)
	if err != nil { // no field of it can make one
		return nil
	}
	return append(b, '\n')
}
