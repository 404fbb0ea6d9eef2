package peek

import (
	"errors"
	"fmt"
	"syscall"
)

// A PartError says that a folder was copied, but not all that it holds.
type PartError struct{ Missing, Of int }

func (e *PartError) Error() string {
	return fmt.Sprintf("%d of %d files and folders could not be copied", e.Missing, e.Of)
}

// lack counts what is missing in a copy.
func (c *Copier) lack(format string, args ...any) {
	c.missing++
	if c.Missing != nil {
		c.Missing(fmt.Sprintf(format, args...))
	}
}

// A targetError comes from what is written, not from what is read.
type targetError struct{ error }

func (e targetError) Unwrap() error { return e.error }

func onTarget(err error) error {
	if err == nil {
		return nil
	}
	return targetError{err}
}

// ends reports whether the next file would fare no better: the target's disk is full or
// broken. A name that it cannot hold, or a block that cannot be read, is that file's.
func ends(err error) bool {
	return isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM) || errors.As(err, &targetError{}) &&
		isAny(err, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.ENXIO, syscall.ESTALE)
}

func isAny(err error, all ...error) bool {
	for _, one := range all {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// A pathError says once, at the innermost, what could not be copied.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return fmt.Sprintf("%q: %v", e.path, e.err) }
func (e *pathError) Unwrap() error { return e.err }

func about(path string, err error) error {
	if inner := (*pathError)(nil); errors.As(err, &inner) {
		return err
	}
	return &pathError{path, err}
}
