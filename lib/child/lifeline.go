package child

import (
	"os"
	"strconv"
	"syscall"
)

// lifelineEnv names the descriptor that says when the parent is gone.
const lifelineEnv = "ZREPL_LIFELINE_FD"

// Watch calls gone, from a goroutine of its own, once the parent that started
// us with a lifeline has died or let go of it. It does nothing where there is
// no lifeline. It must be called at most once, at the start of a program: the
// lifeline is closed on exec and taken out of the environment, so that no
// program further down mistakes it for its own.
func Watch(gone func()) {
	v := os.Getenv(lifelineEnv)
	if v == "" {
		return
	}
	os.Unsetenv(lifelineEnv)
	fd, err := strconv.Atoi(v)
	if err != nil || fd < 3 {
		return
	}
	syscall.CloseOnExec(fd)
	go func() {
		var b [1]byte
		for {
			n, err := syscall.Read(fd, b[:])
			if err == syscall.EBADF { // a stranger's variable
				return
			}
			if n == 0 || err != nil && err != syscall.EINTR {
				gone()
				return
			}
		}
	}()
}
