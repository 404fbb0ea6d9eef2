package zfssim

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mountProgram is mount(8) for one snapshot: mount -t zfs -o ro SNAPSHOT FOLDER, and
// umountProgram its end. A folder has a copy of what the snapshot holds; the link
// .zfs says that it is one. As on a system without mounts of one's own, it is there
// until somebody unmounts it.
func (z *cmd) mountProgram(args []string) int {
	o, err := getopt(args, "nt:F:o:", nil)
	if err != nil || len(o.args) != 2 {
		return z.fail(1, "mount: bad usage")
	}
	kind, _ := o.val('t')
	if options, _ := o.val('o'); kind != "zfs" || !slices.Contains(strings.Split(options, ","), "ro") {
		return z.fail(1, "mount: zfs-sim mounts only snapshots, by -t zfs -o ro")
	}
	return z.look(func(t *tx) int {
		from, ok := z.openObject(t, o.args[0], takeSnapshot)
		if !ok {
			return 1
		}
		at := o.args[1]
		list, err := os.ReadDir(at)
		switch {
		case err != nil:
			return z.fail(32, "mount: %s: mount point does not exist.", at)
		case len(list) > 0:
			return z.fail(32, "mount: %s: zfs-sim mounts only on an empty folder", at)
		case from.d.Volume:
			return z.fail(1, "mount: '%s' is not a filesystem", o.args[0])
		case t.keyMissing(from.d):
			return z.fail(1, "filesystem '%s' can not be mounted: Permission denied", o.args[0])
		}
		if err := os.Symlink(t.dir(from.d.name, "@zfs"), filepath.Join(at, ".zfs")); err != nil {
			return z.fail(32, "mount: %v", err)
		}
		if err := copyTree(t.dir(from.d.name, treeOf(from.v)), at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return z.fail(32, "mount: %v", err)
		}
		return 0
	})
}

func (z *cmd) umountProgram(args []string) int {
	if len(args) != 1 || !isMount(args[0]) {
		return z.fail(32, "umount: %s: not mounted.", strings.Join(args, " "))
	}
	list, err := os.ReadDir(args[0])
	for _, e := range list {
		err = errors.Join(err, os.RemoveAll(filepath.Join(args[0], e.Name())))
	}
	if err != nil {
		return z.fail(32, "umount: %v", err)
	}
	return 0
}
