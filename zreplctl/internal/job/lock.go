package job

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrRunning says that another run of the job holds its lock.
var ErrRunning = errors.New("another run of this job is going on")

// lock takes the lock of a job. Programs that move a stream inherit the file,
// so that the lock is free only when the last of them has ended.
func lock(rundir, name string) (*os.File, error) {
	if err := os.MkdirAll(rundir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(rundir, name+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		f.Close()
		return nil, ErrRunning
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("cannot lock %q: %w", path, err)
	}
	return f, nil
}
