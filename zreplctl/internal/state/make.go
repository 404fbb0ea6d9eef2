package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// Make makes a directory with this mode if it is missing, and refuses one whose
// contents another user controls: that user could place links there and so have
// us write into any file of ours.
func Make(dir string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// A link of another user's could lead to any directory of ours.
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := look(dir)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
			return errors.New("it belongs to another user")
		case info.IsDir() && info.Mode().Perm()&0o022 != 0:
			return fmt.Errorf("others can write there (mode %04o)", info.Mode().Perm())
		}
	}
	return nil
}

// share lets the group read a file or directory that is ours.
func (d Dir) share(path string, mode fs.FileMode) error {
	if d.group == "" {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	gid, err := groupID(d.group)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || int(stat.Uid) != os.Geteuid():
		return nil // its owner says who may read it
	case int(stat.Gid) == gid && info.Mode().Perm() == mode:
		return nil
	}
	if err := os.Lchown(path, -1, gid); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

func groupID(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("monitor: group %q: %w", name, err)
	}
	return strconv.Atoi(g.Gid)
}

// DirError says that a directory cannot be used.
type DirError struct {
	key, dir string
	err      error
}

func (e *DirError) Error() string {
	return fmt.Sprintf("cannot use %q as %s: %v", e.dir, e.key, e.err)
}
func (e *DirError) Unwrap() error { return e.err }

// ExitStatus is that of a configuration error, unless the directory is full or
// its disk broken.
func (e *DirError) ExitStatus() int {
	if is(e.err, full) || is(e.err, broken) {
		return 1
	}
	return 2
}

// Hint is what to do about it.
func (e *DirError) Hint() string {
	if is(e.err, full) {
		return "make room on its file system: until then no later run and no status knows what runs did"
	}
	return "name another directory as " + e.key + " in global, or let this user write there"
}

// What the system says if a directory as a whole cannot be written.
var (
	full   = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT}
	broken = []syscall.Errno{syscall.EIO, syscall.EROFS}
	closed = []syscall.Errno{syscall.EACCES, syscall.EPERM, syscall.ENOTDIR}
)

func is(err error, errnos []syscall.Errno) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && slices.Contains(errnos, errno)
}

// unusable makes of an error of one file that of the directory, if it is that: no
// other file could be written, either.
func (d Dir) unusable(err error) error {
	if err == nil || errors.As(err, new(*DirError)) || !is(err, full) && !is(err, broken) && !is(err, closed) {
		return err
	}
	errno, _ := errors.AsType[syscall.Errno](err)
	return &DirError{"statedir", d.path, errno}
}
