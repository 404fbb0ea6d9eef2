package peek

import (
	"errors"

	"golang.org/x/sys/unix"
)

// sourceOf is the ZFS dataset or snapshot whose mount an open file is on.
func sourceOf(fd int) (string, error) {
	var stat unix.Statfs_t
	if err := unix.Fstatfs(fd, &stat); err != nil {
		return "", err
	}
	if unix.ByteSliceToString(stat.Fstypename[:]) != "zfs" {
		return "", errors.New("it is not of ZFS")
	}
	return unix.ByteSliceToString(stat.Mntfromname[:]), nil
}
