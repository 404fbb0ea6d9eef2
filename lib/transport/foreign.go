package transport

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A socket in another user's directory must become that user's. There the user
// can put anything in the place of anything at any moment, a link to root's
// files too, so nothing is done there by a name: the socket is made and given
// away in a directory that only we can enter, and then moved.

// bindFor listens at path, in a directory of owner's.
func bindFor(owner int, path string) (l *net.UnixListener, made os.FileInfo, err error) {
	dir, err := openDirectory(filepath.Dir(path))
	if err != nil {
		return nil, nil, err
	}
	defer dir.Close()
	workshop, name, err := makeWorkshop(dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		unix.Unlinkat(int(workshop.Fd()), socketName, 0)
		workshop.Close()
		unix.Unlinkat(int(dir.Fd()), name, unix.AT_REMOVEDIR)
	}()
	at := filepath.Join(pathOf(workshop, filepath.Join(filepath.Dir(path), name)), socketName)
	if err := checkLength(at); err != nil {
		return nil, nil, err
	}
	if l, err = net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"}); err != nil {
		return nil, nil, err
	}
	l.SetUnlinkOnClose(false)
	if made, err = os.Lstat(at); err == nil {
		err = giveAway(workshop, dir, owner, filepath.Base(path))
	}
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, made, nil
}

// socketName is the socket's name while it is made.
const socketName = "s"

// giveAway makes the socket in workshop the owner's and moves it to its place.
func giveAway(workshop, dir *os.File, owner int, name string) error {
	from := int(workshop.Fd())
	if err := unix.Fchownat(from, socketName, owner, -1, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return os.NewSyscallError("fchownat", err)
	}
	return os.NewSyscallError("renameat", unix.Renameat(from, socketName, int(dir.Fd()), name))
}

// makeWorkshop makes a directory in dir that only we can enter. The owner of
// dir can move it away or put another in its place, but not get into it, and
// what counts is the descriptor.
func makeWorkshop(dir *os.File) (workshop *os.File, name string, err error) {
	var random [6]byte
	rand.Read(random[:])
	name = ".new-" + hex.EncodeToString(random[:])
	if err := unix.Mkdirat(int(dir.Fd()), name, 0o700); err != nil {
		return nil, "", os.NewSyscallError("mkdirat", err)
	}
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", os.NewSyscallError("openat", err)
	}
	var stat unix.Stat_t
	err = unix.Fstat(fd, &stat)
	if err == nil && (int(stat.Uid) != os.Geteuid() || stat.Mode&0o077 != 0) {
		err = fmt.Errorf("somebody has put another directory in the place of %q", name)
	}
	if err != nil {
		unix.Close(fd)
		return nil, "", err
	}
	return os.NewFile(uintptr(fd), name), name, nil
}

func openDirectory(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
