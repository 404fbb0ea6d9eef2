package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Descriptor is a flag whose value is the number of a descriptor to write to,
// which whoever started the program opened. No command that the program runs
// inherits it.
type Descriptor struct{ File *os.File }

// String is the descriptor's number, or "".
func (d *Descriptor) String() string {
	if d == nil || d.File == nil {
		return ""
	}
	return d.File.Name()
}

// Set implements flag.Value.
func (d *Descriptor) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return fmt.Errorf("not the number of a descriptor")
	}
	if s == d.String() {
		return nil // a second os.File of it would close it once the first is collected
	}
	flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC != 0 { // execve(2) passes none that has it: it is the runtime's own
		return fmt.Errorf("descriptor %d is not open", n)
	}
	if n > 2 {
		unix.CloseOnExec(int(n))
	}
	d.File = os.NewFile(uintptr(n), s)
	return nil
}

// Writer is what to write to, or nil.
func (d *Descriptor) Writer() io.Writer {
	if d.File == nil {
		return nil
	}
	return d.File
}

// Terminal reports whether w is a terminal.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	is := false
	err = raw.Control(func(fd uintptr) {
		_, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ)
		is = err == nil
	})
	return is && err == nil
}

// WasClosed reports whether whoever started the program had closed one of its three
// descriptors: Go's runtime opens /dev/null in its place, to read and to write, as
// nobody else does.
func WasClosed(f *os.File) bool {
	null, err := os.Stat(os.DevNull)
	if err != nil {
		return false
	}
	info, err := f.Stat()
	if err != nil || !os.SameFile(null, info) {
		return err != nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return true
	}
	both := false
	err = raw.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		both = err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
	})
	return both || err != nil
}
