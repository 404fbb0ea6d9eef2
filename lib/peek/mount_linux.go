package peek

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// mountFlags: nothing of a copy is run, and none of its devices works.
func mountFlags() []string {
	return []string{"-n", "-t", "zfs", "-o", "ro,nosuid,nodev,noexec"}
}

// alone calls f on a thread that has mounts of its own, and ends with it. If it may
// not have any, as without root, f is called all the same.
func alone(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: this thread is of no use to others
		if unix.Unshare(unix.CLONE_NEWNS) == nil {
			// What others unmount meanwhile, this thread does not keep.
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
				done <- err
				return
			}
		}
		done <- f()
	}()
	return <-done
}

// detach leaves what is mounted to the open folder, and ends with it. Without, it would
// end with the thread; but the first thread of a program, if it was that, never ends.
func detach(at string) { unix.Unmount(at, unix.MNT_DETACH) }
