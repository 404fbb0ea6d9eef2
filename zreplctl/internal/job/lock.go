package job

import (
	"context"
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
var ErrRunning = errors.New("another run of this job is active")

// leftoverGrace is how long what a killed run has left may take to end.
const leftoverGrace = 10 * time.Second

// lock takes the lock of a job. Programs that move a stream inherit the file,
// so that the lock is free only when the last of them has ended: where the
// run itself is gone already, that is waited for.
func lock(ctx context.Context, rundir, name string) (*os.File, error) {
	f, err := openState(rundir, name+".lock")
	if err != nil {
		return nil, err
	}
	err = poll(ctx, leftoverGrace, func() (bool, error) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, own(f)
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return false, err
		case ownerLives(f):
			return false, errPatience
		}
		return false, nil
	})
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, errPatience):
		err = ErrRunning
	case ctx.Err() == nil:
		err = fmt.Errorf("cannot lock %q: %w", f.Name(), err)
	}
	f.Close()
	return nil, err
}

// own writes into the lock whose it is.
func own(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	pid := os.Getpid()
	born, _ := processBorn(pid)
	_, err := f.WriteAt(fmt.Appendf(nil, "%d %d\n", pid, born), 0)
	return err
}

// ownerLives reports whether the process that took the lock is there, as far
// as that can be known.
func ownerLives(f *os.File) bool {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 64))
	if err != nil {
		return true
	}
	number, began, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	pid, err := strconv.Atoi(number)
	if err != nil || pid <= 0 {
		return true // it is just being written
	}
	born, _ := strconv.ParseUint(began, 10, 64)
	return lives(pid, born)
}
