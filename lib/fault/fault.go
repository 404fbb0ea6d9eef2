// Package fault names the kinds of failure on which a program acts.
//
// An error keeps its text for people. Its kind is for programs: they test it
// with errors.Is(err, fault.Gone), and send it to another host as a short
// code. So no program reads another one's English.
package fault

import "errors"

// Kind is a kind of failure, and its code on the wire.
type Kind string

// The kinds. From another host, Gone, NoSpace, DeadToken and Refused change
// what a run does next; see lib/replicate. The others only choose a hint.
const (
	Gone      Kind = "gone"       // a dataset, snapshot or bookmark does not exist
	NoPool    Kind = "no-pool"    // its pool does not exist: exported, perhaps
	Exists    Kind = "exists"     // what was to be created exists
	NoSpace   Kind = "no-space"   // the pool is full, or a quota is reached
	Busy      Kind = "busy"       // held, cloned, being sent, or being received
	Denied    Kind = "denied"     // the user of zfs(8) may not do that
	NoMark    Kind = "no-mark"    // no bookmark can be made: not allowed, or the pool has none
	NoKey     Kind = "no-key"     // an encryption key is not loaded
	DeadToken Kind = "dead-token" // a partial receive can never be resumed
	Refused   Kind = "refused"    // a stream is not what was asked for
)

var kinds = map[Kind]bool{Gone: true, NoPool: true, Exists: true, NoSpace: true, Busy: true, Denied: true, NoMark: true, NoKey: true, DeadToken: true, Refused: true}

// Error makes a kind a target for errors.Is.
func (k Kind) Error() string { return string(k) }

// Parse returns the kind with this code. The code of a newer or a hostile peer
// may be any other: that is no kind.
func Parse(code string) Kind {
	if k := Kind(code); kinds[k] {
		return k
	}
	return ""
}

// Error is an error with a kind.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error without the kind.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's kind.
func (e *Error) Is(target error) bool { return target == error(e.Kind) }

// ErrorCode returns the kind's code.
func (e *Error) ErrorCode() string { return string(e.Kind) }

// With gives err a kind; without a kind it returns err as it is.
func With(k Kind, err error) error {
	if k == "" || err == nil {
		return err
	}
	return &Error{Kind: k, Err: err}
}

// Of returns the kind of err; empty: it has none.
func Of(err error) Kind {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return Parse(coded.ErrorCode())
	}
	return ""
}
