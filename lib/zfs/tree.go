package zfs

import (
	"context"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// HoldTree puts the hold tag on the snapshots with one name of a dataset and
// of all datasets below it, in one transaction group. It holds all of them or
// none: one that has the hold already is an error.
func (z *ZFS) HoldTree(ctx context.Context, tag, root, snapshot string) error {
	return z.onTree(ctx, "hold", tag, root, snapshot)
}

// ReleaseTree takes the hold tag from the snapshots with one name of a dataset
// and of all datasets below it, in one transaction group. It ignores those
// without the hold. It is an error if none has it.
func (z *ZFS) ReleaseTree(ctx context.Context, tag, root, snapshot string) error {
	return z.onTree(ctx, "release", tag, root, snapshot)
}

func (z *ZFS) onTree(ctx context.Context, verb, tag, root, snapshot string) error {
	if err := checkTag(tag); err != nil {
		return err
	}
	name := root + "@" + snapshot
	if err := checkVersions(dataset.Snapshot, name); err != nil {
		return err
	}
	_, err := z.output(ctx, verb, "-r", tag, name)
	return err
}

func checkTag(tag string) error {
	if err := dataset.CheckShort(tag); err != nil || tag[0] == '-' {
		return fmt.Errorf("bad tag %q", tag)
	}
	return nil
}

// Names lists the filesystems and volumes of roots and all below them, by one
// command. Roots that do not exist are left out.
func (z *ZFS) Names(ctx context.Context, roots []string) (names []string, err error) {
	o := ListOptions{Types: []string{"filesystem", "volume"}, Roots: roots, Recursive: true}
	err = z.List(ctx, o, func(f []string) error {
		names = append(names, strings.Clone(f[0]))
		return nil
	})
	return names, Present(err)
}
