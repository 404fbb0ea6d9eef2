package job

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// MakeRunDir makes the run directory with this mode if it is missing, and
// refuses one whose contents another user controls.
func MakeRunDir(dir string, mode fs.FileMode) error {
	if err := state.Make(dir, mode); err != nil {
		return &runDirError{dir, err}
	}
	return nil
}

// openState opens a file of the run directory, and makes both if they are
// missing.
func openState(rundir, name string) (*os.File, error) {
	if err := MakeRunDir(rundir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(rundir, name), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return nil, &runDirError{rundir, err}
	}
	return f, err
}

// writeState writes a file of the run directory in which a job's lock is held.
func writeState(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// runDirError says that the run directory is of no use.
type runDirError struct {
	dir string
	err error
}

func (e *runDirError) Error() string {
	return fmt.Sprintf("cannot use run directory %q: %v", e.dir, e.err)
}
func (e *runDirError) Unwrap() error { return e.err }

// ExitStatus is that of a configuration error.
func (e *runDirError) ExitStatus() int { return 2 }

// Hint is what to do about it.
func (e *runDirError) Hint() string { return "name another directory as rundir in global" }
