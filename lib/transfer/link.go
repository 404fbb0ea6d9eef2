package transfer

import (
	"fmt"
	"time"
)

// StallError says that nothing of a stream moved for so long that it was
// ended: zfs send is stuck, or zfs receive is, or the way between them. If
// Least is set, something moved, and fewer bytes than that.
type StallError struct {
	Limit time.Duration
	Least uint64
}

func (e *StallError) Error() string {
	if e.Least > 0 {
		return fmt.Sprintf("the stream was ended: fewer than %d bytes of it moved in %v", e.Least, e.Limit)
	}
	return fmt.Sprintf("the stream was ended: nothing of it moved for %v", e.Limit)
}

// LinkError is a fault of the way to the other end: what was asked for may
// work when it is asked for again.
type LinkError struct{ Err error }

func (e *LinkError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *LinkError) Unwrap() error { return e.Err }
