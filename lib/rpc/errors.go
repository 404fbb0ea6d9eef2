package rpc

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// Codes of errors that this package replies with. Handlers have their own:
// they return a *RemoteError, or an error with a method ErrorCode. Any other
// error is sent as CodeFailed.
const (
	CodeFailed      = "failed"       // the handler returned an error
	CodeUnknownCall = "unknown-call" // there is no such endpoint
	CodeBadRequest  = "bad-request"  // the body is not what the endpoint takes
	CodeLimit       = "limit"        // a request was too big; the connection is closed
	CodeTimeout     = "timeout"      // the client took too long; the connection is closed
	CodeLater       = "try-later"    // what failed may work later: the system has no room, for example
)

// maxMessage is how much of an error's text is sent, or taken
// from the far side, in bytes.
const maxMessage = 2000

// RemoteError is an error that the far side replied with. Its text is free of
// control characters and short, but otherwise the far side's. A handler may
// return one, too, to choose the code: 1 to 32 of a-z and -.
type RemoteError struct {
	Code    string
	Message string
}

func (e *RemoteError) Error() string { return e.Message }

// remoteError makes an error fit to be sent, or to be shown.
func remoteError(err error) *RemoteError {
	return &RemoteError{Code: codeOf(err), Message: child.Clean(err.Error(), maxMessage)}
}

func codeOf(err error) string {
	var remote *RemoteError
	var coded interface{ ErrorCode() string }
	switch {
	case errors.As(err, &remote) && validCode(remote.Code):
		return remote.Code
	case noRoom(err):
		return CodeLater
	case errors.As(err, &coded) && validCode(coded.ErrorCode()):
		return coded.ErrorCode()
	}
	return CodeFailed
}

// noRoom reports whether the system had no descriptors, processes or memory
// left.
func noRoom(err error) bool {
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func validCode(code string) bool {
	for i := range len(code) {
		if c := code[i]; (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return code != "" && len(code) <= 32
}

// ProtocolError says that the far side did not keep to the protocol. The
// connection is closed.
type ProtocolError struct {
	Err  error
	Text string // what came instead of a first message, if that is readable text
}

func (e *ProtocolError) Error() string {
	if e.Text == "" {
		return "protocol error: " + e.Err.Error()
	}
	return fmt.Sprintf("the far side does not speak the protocol: it says %q, %s", e.Text, looksLike(e.Text))
}

func (e *ProtocolError) Unwrap() error { return e.Err }

// looksLike names what people find at the far end of a wrong connection.
func looksLike(text string) string {
	lower := strings.ToLower(text)
	for _, known := range []struct{ mark, name string }{
		{"SSH-", "which looks like an SSH server's banner"},
		{"HTTP/", "which looks like a web server's answer"},
		{"command not found", "which looks like a shell that lacks a command"},
		{"not found", "which looks like a shell that lacks a command"},
		{"no such file", "which looks like a shell that lacks a command"},
		{"permission denied", "which looks like a refusal"},
		{"usage:", "which looks like a program's usage"},
		{"password", "which looks like a prompt for a password"},
	} {
		if strings.Contains(lower, strings.ToLower(known.mark)) {
			return known.name
		}
	}
	return "which looks like a login greeting or a shell"
}

// TimeoutError says that the far side took longer than a limit allows. The
// connection is closed.
type TimeoutError struct {
	Doing string
	Limit time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("the far side took too long: %s, limit %s", e.Doing, e.Limit)
}

// limitReached says what a server tells a client that it hangs up on because
// of a limit; nil if that is not why.
func limitReached(err error) *RemoteError {
	var timeout *TimeoutError
	if errors.As(err, &timeout) {
		return &RemoteError{CodeTimeout, fmt.Sprintf("the server closes this connection: %s within %s", timeout.Doing, timeout.Limit)}
	}
	var much *tooMuch
	if errors.As(err, &much) {
		return &RemoteError{CodeLimit, "the server closes this connection: " + much.Error()}
	}
	return nil
}

// Timeout is for those who ask a net.Error.
func (e *TimeoutError) Timeout() bool { return true }

// ExitStatus is 75: try again later.
func (e *TimeoutError) ExitStatus() int { return 75 }

// ErrHungUp says that the far side closed the connection, or died. Its
// ExitStatus is 75.
var ErrHungUp error = hungUp{}

type hungUp struct{}

func (hungUp) Error() string   { return "the far side hung up" }
func (hungUp) ExitStatus() int { return 75 }

// hangUp gives the end of input its name where it is no proper end.
func hangUp(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrHungUp
	}
	return err
}
