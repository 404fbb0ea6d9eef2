package peek

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	prefix  = "look-" // of the folder of one Mounter
	ownLock = "lock"  // in it, while it lives
	allLock = ".lock" // beside it, while one comes, goes or tidies up
)

// patience is how long one waits for another to come or to go. It unmounts what a
// killed one has left, which can hang.
const patience = time.Minute

// lockAll waits until no other Mounter makes, removes or looks at folders.
func lockAll(dir string) (*os.File, error) {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		f, err := locked(filepath.Join(dir, allLock))
		if f != nil || err != nil {
			return f, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("another process has locked %q for %v", dir, patience)
		}
	}
}

// locked opens a file, which it makes, and locks it; nil: another process has it.
func locked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, nil
	}
	return nil, err
}

func ignoreGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// tidy unmounts and removes what killed processes have left.
func tidy(dir string) (left []string, err error) {
	folders, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		lock, err := locked(filepath.Join(folder, ownLock)) // without one, it was killed before
		if err != nil {
			return left, err
		}
		if lock == nil {
			continue
		}
		err = empty(folder)
		lock.Close()
		if err != nil {
			return left, fmt.Errorf("cannot tidy up what a killed run has left: %w", err)
		}
		left = append(left, folder)
	}
	return left, nil
}

func empty(folder string) error {
	list, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, at := range list {
		if err := leave(filepath.Join(folder, at.Name())); err != nil {
			return err
		}
	}
	return os.Remove(folder)
}

// leave removes a mountpoint, and unmounts before if something is there.
func leave(at string) error {
	if os.Remove(at) == nil {
		return nil
	}
	if err := command(context.Background(), filepath.Dir(at), "umount", at); err != nil {
		return err
	}
	return os.Remove(at)
}
