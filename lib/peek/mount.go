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
	"time"
)

// A Mounter mounts snapshots of filesystems that are not mounted, read-only, and one
// only for itself if the system can do that: on Linux the mount ends with the
// process, whatever ends it. Elsewhere the next Mounter with the same folder
// unmounts what a killed one has left.
type Mounter struct {
	dir  string   // the folder of all
	own  string   // a folder in it, of this Mounter alone
	lock *os.File // of own
}

// NewMounter makes a Mounter whose mountpoints are in a folder, which must be of
// this user alone. It returns what killed ones have left, and is gone now.
func NewMounter(dir string) (m *Mounter, left []string, err error) {
	all, err := lockAll(dir)
	if err != nil {
		return nil, nil, err
	}
	defer all.Close()
	if left, err = tidy(dir); err != nil {
		return nil, left, err
	}
	own, err := os.MkdirTemp(dir, prefix)
	if err != nil {
		return nil, left, err
	}
	lock, err := locked(filepath.Join(own, ownLock))
	if err == nil && lock == nil {
		err = fmt.Errorf("%q is locked", own)
	}
	if err != nil {
		return nil, left, err
	}
	return &Mounter{dir, own, lock}, left, nil
}

// Close removes the folder, after all snapshots were closed.
func (m *Mounter) Close() error {
	all, err := lockAll(m.dir)
	if err != nil {
		return errors.Join(err, m.lock.Close()) // the next one removes it
	}
	defer all.Close()
	err = errors.Join(os.Remove(m.lock.Name()), os.Remove(m.own))
	return errors.Join(err, m.lock.Close())
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
