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
// since it was listed; in words, as Full (libzfs_util.c, EZFS_NOENT), or ours.
func Gone(err error) bool {
	text := err.Error()
	return strings.Contains(text, "dataset does not exist") || strings.Contains(text, notThere)
}

// notThere is the end of what an end says of a snapshot that it looked up.
const notThere = "is not there"

// NotThere says that a snapshot that was looked up does not exist.
func NotThere(snapshot string) string { return fmt.Sprintf("snapshot %q %s", snapshot, notThere) }

// Dead reports whether an error says that a partial receive can never go on:
// what it was of is gone from the sender, or its token, or the stream that is
// made of it, is refused. In words, as Full (zfs_send_resume_impl in
// libzfs_sendrecv.c), or ours.
func Dead(err error) bool {
	text := err.Error()
	for _, words := range []string{"resume token: ", "resume token is corrupt", "the stream is refused: ", "used in the initial send", "no longer exists"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}
