package transfer

import (
	"fmt"
	"strings"
	"time"
)

// StallError says that nothing of a stream moved for so long that it was
// ended: zfs send is stuck, or zfs receive is, or the way between them.
type StallError struct{ Limit time.Duration }

func (e *StallError) Error() string {
	return fmt.Sprintf("the stream was ended: nothing of it moved for %v", e.Limit)
}

// LinkError is a fault of the way to the other end: what was asked for may
// work when it is asked for again.
type LinkError struct{ Err error }

func (e *LinkError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *LinkError) Unwrap() error { return e.Err }

// Full reports whether an error says that the receiver has no space left, or
// may use no more. ZFS tells that in words only (libzfs_sendrecv.c), here or
// at the other end.
func Full(err error) bool {
	text := err.Error()
	return strings.Contains(text, "out of space") || strings.Contains(text, "quota exceeded")
}

// Gone reports whether an error says that a snapshot was destroyed or renamed
// since it was listed; in words, as Full (libzfs_util.c, EZFS_NOENT).
func Gone(err error) bool { return strings.Contains(err.Error(), "dataset does not exist") }
