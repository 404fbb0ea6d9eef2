//go:build !linux

package peek

import "runtime"

// mountFlags: nothing of a copy is run, and none of its devices works.
func mountFlags() []string {
	if runtime.GOOS == "illumos" || runtime.GOOS == "solaris" {
		return []string{"-F", "zfs", "-o", "ro,nosuid,nodevices,noexec"}
	}
	return []string{"-t", "zfs", "-o", "ro,nosuid,noexec"}
}

// alone calls f: only Linux gives a thread mounts of its own.
func alone(f func() error) error { return f() }

func detach(string) {}
