package peek

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Visible opens a snapshot of a filesystem that is mounted, by .zfs/snapshot. It is
// for who may not mount: see Mounter. The path is that of a property, and whoever may
// write into a folder on it can have made all of it, so what was opened must be the
// very top of what the system says is a mount of this snapshot.
func Visible(mountpoint, full string) (*Snapshot, error) {
	_, short, _ := strings.Cut(full, "@")
	at := filepath.Join(mountpoint, ".zfs", "snapshot", short)
	root, err := os.OpenRoot(at)
	if err != nil {
		return nil, err
	}
	dir, err := root.Open(".")
	if err == nil {
		err = errors.Join(topOf(dir, full), dir.Close())
	}
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("%q: %w", at, err)
	}
	return &Snapshot{root: root}, nil
}

// topOf checks that an open folder is the root of a mounted snapshot: its source is the
// snapshot, and the folder above is of another filesystem.
func topOf(dir *os.File, full string) error {
	source, err := sourceOf(int(dir.Fd()))
	if err != nil {
		return err
	}
	if source != full {
		return fmt.Errorf("it is not the snapshot, but of %q", source)
	}
	var here, above unix.Stat_t
	up, err := unix.Openat(int(dir.Fd()), "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(up)
	if err := errors.Join(unix.Fstat(int(dir.Fd()), &here), unix.Fstat(up, &above)); err != nil {
		return err
	}
	if here.Dev == above.Dev {
		return errors.New("it is a folder in the snapshot")
	}
	return nil
}
