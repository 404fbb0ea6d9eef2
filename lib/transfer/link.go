package transfer

// LinkError is a fault of the way to the other end: what was asked for may
// work when it is asked for again.
type LinkError struct{ Err error }

func (e *LinkError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *LinkError) Unwrap() error { return e.Err }
