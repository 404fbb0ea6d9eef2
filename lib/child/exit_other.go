//go:build !linux

package child

import (
	"os"
	"syscall"
)

// ended is how a process ended.
type ended struct {
	code   int
	signal syscall.Signal
	err    error
}

// awaitExit waits for the exit and reaps.
func awaitExit(pid int) ended {
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return ended{code: 1, err: os.NewSyscallError("wait4", err)}
		}
		break
	}
	if ws.Signaled() {
		return ended{code: 128 + int(ws.Signal()), signal: ws.Signal()}
	}
	return ended{code: ws.ExitStatus()}
}

// reap has nothing to do: awaitExit did it.
func reap(int) {}

func sysProcAttr(c Cmd, group int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: c.Group, Pgid: group}
}
