package zfssim

import (
	"os"

	"golang.org/x/sys/unix"
)

// ZFS refuses to write a stream to a terminal, and to read one from there.

func (z *cmd) terminal() bool {
	f, ok := z.out.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), ioctlGetTermios)
	return err == nil
}

func (z *cmd) inputTerminal() bool {
	if z.in == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(z.in.Fd()), ioctlGetTermios)
	return err == nil
}
