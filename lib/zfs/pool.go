package zfs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// PoolFeatures returns the states of features (zpool-features(7), without
// "feature@") of pools, which must all be there, by pool and feature:
// disabled, enabled or active. A feature that this host's OpenZFS does not know
// is left out. It runs one zpool get, of the zpool program that stands beside
// the zfs program or else is in $PATH.
func (z *ZFS) PoolFeatures(ctx context.Context, pools, features []string) (map[string]map[string]string, error) {
	if err := checkDatasets(pools...); err != nil || len(pools) == 0 {
		return nil, err
	}
	var names []string
	for _, f := range features {
		if err := checkProperty(f); err != nil {
			return nil, err
		}
		names = append(names, "feature@"+f)
	}
	path, err := z.zpool()
	if err != nil {
		return nil, err
	}
	pool := ZFS{Path: path, Ran: z.Ran}
	all := map[string]map[string]string{}
	err = pool.lines(ctx, slices.Concat([]string{"get", "-Hp", "-o", "name,property,value", strings.Join(names, ",")}, pools), func(line string) error {
		f := strings.Split(line, "\t")
		feature, ok := "", len(f) == 3
		if ok {
			feature, ok = strings.CutPrefix(f[1], "feature@")
		}
		if !ok {
			return fmt.Errorf("zpool get: not a line of pool, feature and state: %q", line)
		}
		if all[f[0]] == nil {
			all[f[0]] = map[string]string{}
		}
		if f[2] != "-" {
			all[f[0]][feature] = f[2]
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("zpool: %w", err)
	}
	return all, nil
}

// ReadOnly reports whether a pool is imported read-only, as PoolFeatures finds
// out the features.
func (z *ZFS) ReadOnly(ctx context.Context, pool string) (yes bool, err error) {
	if err := checkDatasets(pool); err != nil {
		return false, err
	}
	path, err := z.zpool()
	if err != nil {
		return false, err
	}
	zpool := ZFS{Path: path, Ran: z.Ran}
	err = zpool.lines(ctx, []string{"get", "-Hp", "-o", "value", "readonly", pool}, func(line string) error {
		yes = line == "on"
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("zpool: %w", err)
	}
	return yes, nil
}

func (z *ZFS) zpool() (string, error) {
	beside := filepath.Join(filepath.Dir(z.Path), "zpool")
	if info, err := os.Stat(beside); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
		return beside, nil
	}
	return exec.LookPath("zpool")
}

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
