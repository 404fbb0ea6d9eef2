package child

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ended is how a process ended, known before it is reaped.
type ended struct {
	code   int
	signal syscall.Signal
	err    error
}

// The values of si_code for SIGCHLD, waitid(2).
const cldExited = 1

// awaitExit waits for the exit and leaves the zombie: as long as it is there
// its number, and that of its group, mean nobody else.
func awaitExit(pid int) ended {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return ended{code: 1, err: os.NewSyscallError("waitid", err)}
		}
		break
	}
	// si_status stands behind si_pid and si_uid, in a union that is aligned
	// as a pointer is.
	const word = unsafe.Sizeof(uintptr(0))
	const union = (3*4 + word - 1) / word * word
	status := *(*int32)(unsafe.Add(unsafe.Pointer(&info), union+8))
	if info.Code == cldExited {
		return ended{code: int(status)}
	}
	return ended{code: 128 + int(status), signal: syscall.Signal(status)}
}

// reap takes the zombie away.
func reap(pid int) {
	for {
		var ws unix.WaitStatus
		if _, err := unix.Wait4(pid, &ws, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// sysProcAttr: the program is signalled when we die, so that kill -9 leaves
// nothing running.
func sysProcAttr(c Cmd, group int) *syscall.SysProcAttr {
	sig := syscall.SIGKILL
	if c.Lifeline {
		sig = syscall.SIGTERM
	}
	return &syscall.SysProcAttr{Setpgid: c.Group, Pgid: group, Pdeathsig: sig}
}
