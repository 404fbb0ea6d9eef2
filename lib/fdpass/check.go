package fdpass

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Check reports whether in and out can be the two ends of a connection: each
// a pipe or a connected stream socket, in open for reading and out for
// writing. A pipe that is open for both is none: it never comes to its end.
func Check(in, out *os.File) error {
	if err := check(in, unix.O_RDONLY, "reading"); err != nil {
		return fmt.Errorf("first descriptor: %w", err)
	}
	if err := check(out, unix.O_WRONLY, "writing"); err != nil {
		return fmt.Errorf("second descriptor: %w", err)
	}
	return nil
}

func check(f *os.File, want int, purpose string) error {
	if f == nil {
		return errors.New("not open")
	}
	fd := int(f.Fd())
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return fmt.Errorf("not open: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	switch uint32(stat.Mode) & unix.S_IFMT {
	case unix.S_IFIFO:
		if flags&unix.O_ACCMODE != want {
			return fmt.Errorf("a pipe that is not open for just %s", purpose)
		}
		return nil
	case unix.S_IFSOCK:
		return checkSocket(fd)
	}
	return fmt.Errorf("%s: a pipe or a stream socket is needed", kind(uint32(stat.Mode)))
}

func checkSocket(fd int) error {
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return err
	} else if kind != unix.SOCK_STREAM {
		return errors.New("a socket that is no stream")
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return fmt.Errorf("a socket without a peer: %w", err)
	}
	return nil
}

func kind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "a file"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFCHR:
		return "a terminal or another device"
	}
	return "neither a pipe nor a socket"
}
