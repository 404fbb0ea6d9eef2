package zfs

import "golang.org/x/sys/unix"

// argMax is what execve(2) allows for arguments and environment together: a
// quarter of the stack's limit, at least 128 KiB and at most 6 MiB.
func argMax() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_STACK, &limit) != nil {
		return 128 << 10
	}
	return int(min(max(limit.Cur/4, 128<<10), 6<<20))
}
