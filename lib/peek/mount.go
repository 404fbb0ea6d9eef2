package peek

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Mounter mounts snapshots of filesystems that are not mounted, read-only, and one
// only for itself if the system can do that: on Linux the mount ends with the
// process, whatever ends it. Elsewhere the next Mounter with the same folder
// unmounts what a killed one has left.
type Mounter struct {
	own  string   // a folder of this Mounter alone
	lock *os.File // of it
}

const prefix = "look-"

// NewMounter makes a Mounter whose mountpoints are in a folder, which must be of
// this user alone. It returns what killed ones have left, and is gone now.
func NewMounter(dir string) (m *Mounter, left []string, err error) {
	if left, err = tidy(dir); err != nil {
		return nil, left, err
	}
	for range 10 { // another one may have taken it for a killed one's
		own, err := os.MkdirTemp(dir, prefix)
		if err != nil {
			return nil, left, err
		}
		lock, err := locked(own, os.O_CREATE|os.O_EXCL)
		if err != nil {
			return nil, left, err
		}
		if lock != nil {
			return &Mounter{own, lock}, left, nil
		}
	}
	return nil, left, fmt.Errorf("cannot make a folder in %q", dir)
}

// Close removes the folder, after all snapshots were closed.
func (m *Mounter) Close() error {
	err := errors.Join(os.Remove(m.lock.Name()), ignoreGone(os.Remove(m.own)))
	return errors.Join(err, m.lock.Close())
}

// locked opens and locks the file that says whose a folder is; nil: another process
// has it, or it is gone.
func locked(folder string, flags int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|syscall.O_NOFOLLOW|flags, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, nil
	}
	if err != nil {
		return nil, ignoreGone(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, err
	}
	was, err := f.Stat()
	now, errNow := os.Lstat(f.Name())
	if err != nil || errNow != nil || !os.SameFile(was, now) {
		f.Close()
		return nil, errors.Join(err, ignoreGone(errNow))
	}
	return f, nil
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
		lock, err := locked(folder, os.O_CREATE) // without one, it was killed, or comes too late
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

// Open mounts a snapshot. What it returns keeps the snapshot mounted until Close.
func (m *Mounter) Open(ctx context.Context, full string) (*Snapshot, error) {
	at, err := os.MkdirTemp(m.own, "at-")
	if err != nil {
		return nil, err
	}
	s := &Snapshot{at: at}
	err = alone(func() error {
		if err := command(ctx, m.own, "mount", append(mountFlags(), full, at)...); err != nil {
			return err
		}
		if s.root, err = os.OpenRoot(at); err == nil {
			detach(at)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, leave(at))
	}
	if os.Remove(at) == nil { // the open folder keeps what was mounted there
		s.at = ""
	}
	return s, nil
}

// command runs mount or umount. It starts on this very thread, whose mounts it must
// see; package child has threads of its own. In dir no name of a snapshot is a file,
// for which mount(8) would take it.
func command(ctx context.Context, dir, name string, args ...string) error {
	program, err := exec.LookPath(name)
	if err != nil {
		program = "/sbin/" + name
	}
	c := exec.CommandContext(ctx, program, args...)
	var said bytes.Buffer
	c.Dir, c.Stderr, c.Env = dir, &said, append(os.Environ(), "LC_ALL=C")
	c.WaitDelay = 5 * time.Second // a helper of mount may outlive it
	err = c.Run()
	switch text := strings.TrimSpace(said.String()); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && text != "":
		return fmt.Errorf("%s: %s", name, text)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
