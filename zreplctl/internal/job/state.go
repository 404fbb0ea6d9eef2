package job

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openState opens a file of the run directory, and makes both if they are
// missing. Who else could write there could have us write into any file of
// ours.
func openState(rundir, name string) (*os.File, error) {
	if err := os.MkdirAll(rundir, 0o755); err != nil {
		return nil, &runDirError{err}
	}
	info, err := os.Stat(rundir)
	if err != nil {
		return nil, &runDirError{err}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return nil, &runDirError{fmt.Errorf("directory %q belongs to another user", rundir)}
	case info.Mode().Perm()&0o002 != 0:
		return nil, &runDirError{fmt.Errorf("everybody can write into directory %q (mode %04o)", rundir, info.Mode().Perm())}
	}
	f, err := os.OpenFile(filepath.Join(rundir, name), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return nil, &runDirError{err}
	}
	return f, err
}

// runDirError says that the run directory is of no use.
type runDirError struct{ err error }

func (e *runDirError) Error() string { return e.err.Error() }
func (e *runDirError) Unwrap() error { return e.err }

// ExitStatus is that of a configuration error.
func (e *runDirError) ExitStatus() int { return 2 }

// Hint is what to do about it.
func (e *runDirError) Hint() string { return "name another directory as rundir in global" }
