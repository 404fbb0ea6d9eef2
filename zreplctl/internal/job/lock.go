package job

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrRunning says that another run of the job holds its lock.
var ErrRunning = errors.New("another run of this job is going on")

// leftoverGrace is how long what a killed run has left may take to end.
const leftoverGrace = 10 * time.Second

// lock takes the lock of a job. Programs that move a stream inherit the file,
// so that the lock is free only when the last of them has ended: where the
// run itself is gone already, that is waited for.
func lock(rundir, name string) (*os.File, error) {
	f, err := openState(rundir, name+".lock")
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(leftoverGrace); ; time.Sleep(50 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		if ownerLives(f) || time.Now().After(end) {
			f.Close()
			return nil, ErrRunning
		}
	}
	if err == nil {
		err = own(f)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock %q: %w", f.Name(), err)
	}
	return f, nil
}

// own writes into the lock whose it is.
func own(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// ownerLives reports whether the process that took the lock is there, as far
// as that can be known.
func ownerLives(f *os.File) bool {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return true
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return true // it is just being written
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
