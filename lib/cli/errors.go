package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// The exit statuses of all programs. A child killed by signal n counts as
// 128+n.
const (
	OK       = 0  // done, all of it
	Failed   = 1  // failed, or done only in part
	Usage    = 2  // wrong arguments or a wrong configuration
	TryLater = 75 // EX_TEMPFAIL of sysexits(3): the same may work later
)

// Cannot is an error that reads `cannot verb "object": cause`.
func Cannot(verb, object string, cause error) error {
	return fmt.Errorf("cannot %s %q: %w", verb, object, cause)
}

// Usagef is an error in the arguments: it is printed together with the usage,
// and the exit status is Usage.
func Usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

type usageError struct{ error }

func (e usageError) Unwrap() error   { return e.error }
func (e usageError) ExitStatus() int { return Usage }

// Hint adds to err what a person can do about it.
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return hintError{err, fmt.Sprintf(format, args...)}
}

type hintError struct {
	error
	hint string
}

func (e hintError) Unwrap() error { return e.error }
func (e hintError) Hint() string  { return e.hint }

// WithStatus makes err end the program with this exit status. A nil err ends
// it with that status without a word.
func WithStatus(status int, err error) error { return statusError{err, status} }

type statusError struct {
	err    error
	status int
}

func (e statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}
func (e statusError) Unwrap() error   { return e.err }
func (e statusError) ExitStatus() int { return e.status }

// Status is the exit status that err stands for: that of the outermost error
// in it with a method ExitStatus() int, or else Failed; OK for nil.
func Status(err error) int {
	var s interface{ ExitStatus() int }
	switch {
	case err == nil:
		return OK
	case errors.As(err, &s):
		return s.ExitStatus()
	}
	return Failed
}

// Print writes err for a person, each error of a joined one on its own line
// behind the tool's name, and behind each the hint of the outermost error in
// it that has a method Hint() string. An error of several lines becomes one.
// It returns the exit status.
func Print(w io.Writer, tool string, err error) int {
	if s, ok := err.(statusError); err == nil || ok && s.err == nil {
		return Status(err)
	}
	out := NewOut(w)
	for _, e := range flatten(err) {
		out.Say(tool, e.Error())
		var h interface{ Hint() string }
		if errors.As(e, &h) && h.Hint() != "" {
			out.Say(tool+": hint", h.Hint())
		}
	}
	return Status(err)
}

// Messages returns what Print writes for err, without the tool's name and the
// hints: one text for each error of a joined one. For an error that ends a
// program without a word there is none.
func Messages(err error) (texts []string) {
	if s, ok := err.(statusError); err == nil || ok && s.err == nil {
		return nil
	}
	for _, e := range flatten(err) {
		texts = append(texts, e.Error())
	}
	return texts
}

// flatten takes apart what errors.Join has joined, also inside a wrapper that
// adds no text of its own.
func flatten(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		parts := e.Unwrap()
		if errors.Join(parts...).Error() != err.Error() {
			return []error{err}
		}
		var flat []error
		for _, part := range parts {
			flat = append(flat, flatten(part)...)
		}
		return flat
	case statusError:
		return flatten(e.err)
	case usageError:
		return flatten(e.error)
	}
	return []error{err}
}

// withCause puts the signal that cancelled ctx behind an error that says no
// more than that it was cancelled.
func withCause(ctx context.Context, err error) error {
	signal, ok := errors.AsType[SignalError](context.Cause(ctx))
	if !ok || err == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, signal) {
		return err
	}
	if err == context.Canceled {
		return signal
	}
	return WithStatus(signal.ExitStatus(), err)
}
