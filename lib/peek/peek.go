// Package peek reads files in the snapshots of filesystems, and copies them to
// elsewhere on this host.
//
// It promises to change nothing in the pool, to leave nothing mounted, even if it
// is killed (see Mounter), and that nothing which a snapshot holds leads out of it:
// symbolic links are never followed, and devices, FIFOs and sockets never opened.
// It overwrites nothing. It does not know which snapshots there are.
package peek

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
)

// A Snapshot is one whose files can be read. While it is open, ZFS does not destroy
// the snapshot.
type Snapshot struct {
	root *os.Root
	at   string // our own mountpoint that is still there; empty: none
}

// Close must be called. The error says that something is still mounted.
func (s *Snapshot) Close() error {
	err := s.root.Close()
	if s.at == "" {
		return err
	}
	return errors.Join(err, leave(s.at))
}

// A LinkError says that a symbolic link is on the way, which is not followed.
type LinkError struct{ At, To string }

func (e *LinkError) Error() string {
	return fmt.Sprintf("%q is a symbolic link to %q, which is not followed", e.At, e.To)
}

// Path makes what a person calls a file the path below the root of its filesystem:
// "." is the root itself.
func Path(name string) (string, error) {
	inside := strings.TrimPrefix(path.Clean("/"+name), "/")
	switch {
	case strings.ContainsRune(name, 0):
		return "", fmt.Errorf("the path %q has a byte that no name has", name)
	case inside == "":
		return ".", nil
	case inside == ".zfs" || strings.HasPrefix(inside, ".zfs/"):
		return "", fmt.Errorf("the path %q is not of files, but of snapshots", name)
	}
	return inside, nil
}

// walk opens the folder that holds a path, and returns the path's last name.
func (s *Snapshot) walk(inside string) (*os.Root, string, error) {
	at, err := s.root.OpenRoot(".")
	if err != nil {
		return nil, "", err
	}
	done := ""
	for {
		name, rest, more := strings.Cut(inside, "/")
		if !more {
			return at, name, nil
		}
		done = path.Join(done, name)
		next, err := enter(at, name)
		at.Close()
		if link := (*LinkError)(nil); errors.As(err, &link) {
			link.At = done
		}
		if err != nil {
			return nil, "", err
		}
		at, inside = next, rest
	}
}

// errNoFolder is also said of what is not there: either way, nothing is below.
var errNoFolder = errors.New("it is not a folder")

// enter opens a folder of a folder. os.Root alone would follow a symbolic link that
// stays inside, into what another name has.
func enter(at *os.Root, name string) (*os.Root, error) {
	was, err := at.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case was.Mode()&os.ModeSymlink != 0:
		to, _ := at.Readlink(name)
		return nil, &LinkError{name, to}
	case !was.IsDir():
		return nil, errNoFolder
	}
	next, err := at.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if now, err := next.Stat("."); err != nil || !os.SameFile(was, now) {
		next.Close()
		return nil, errors.Join(errChanges, err)
	}
	return next, nil
}

var errChanges = errors.New("it changes while it is read")
