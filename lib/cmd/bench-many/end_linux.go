package main

import "golang.org/x/sys/unix"

// awaitEnd waits until a child has ended, and leaves the zombie.
func awaitEnd(pid int) error {
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return err
		}
	}
}
