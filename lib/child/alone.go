package child

import "golang.org/x/sys/unix"

// maxInherited is the highest descriptor that a parent is thought to pass on.
const maxInherited = 255

// closeInherited has a program that gets files as its descriptors get no
// others: those that we inherited, and that others may wait to be closed, as a
// lock is. Our own close by themselves.
func closeInherited(files []uintptr) []uintptr {
	last := len(files) - 1
	for fd := len(files); fd <= maxInherited; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			last = fd
		}
	}
	for len(files) <= last {
		files = append(files, ^uintptr(0)) // to be closed
	}
	return files
}
