package zfs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Loads returns the load_guid of each pool, which is another one after each
// import, by one zpool get.
func (z *ZFS) Loads(ctx context.Context) (map[string]uint64, error) {
	path, err := z.zpool()
	if err != nil {
		return nil, err
	}
	pool := ZFS{Path: path, Ran: z.Ran}
	loads := map[string]uint64{}
	err = pool.lines(ctx, []string{"get", "-Hp", "-o", "name,value", "load_guid"}, func(line string) error {
		name, value, _ := strings.Cut(line, "\t")
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || n == 0 {
			return fmt.Errorf("zpool get: not a line of pool and load_guid: %q", line)
		}
		loads[strings.Clone(name)] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("zpool: %w", err)
	}
	return loads, nil
}

// UnknownProperty reports whether err is zfs's answer that it does not know
// one of the properties asked for.
func UnknownProperty(err error) bool { return said(err, "invalid property '") }
