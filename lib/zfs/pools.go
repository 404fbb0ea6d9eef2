package zfs

import (
	"context"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Pools returns the names of the pools that are imported.
func (z *ZFS) Pools(ctx context.Context) (names []string, err error) {
	args := []string{"list", "-H", "-o", "name", "-d", "0", "-t", "filesystem"}
	err = z.lines(ctx, args, func(line string) error {
		if dataset.Parent(line) == "" {
			names = append(names, line)
		}
		return nil
	})
	return names, err
}
