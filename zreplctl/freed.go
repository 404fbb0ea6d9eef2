package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/upkeep"
)

// freed prints what pruning would free, a dataset a line: its name, how many
// snapshots, how many bytes. It destroys nothing.
func (g *globals) freed(ctx context.Context, u *upkeep.Upkeep) error {
	var order []string
	victims := map[string][]string{}
	u.DryRun = true
	u.Destroyed = func(name string) error {
		ds, _, short := dataset.Split(name)
		if victims[ds] == nil {
			order = append(order, ds)
		}
		victims[ds] = append(victims[ds], short)
		return nil
	}
	errs := []error{u.Prune(ctx)}
	for _, ds := range order {
		bytes := "-"
		size, err := u.ZFS.Reclaim(ctx, ds, victims[ds])
		if errs = append(errs, err); err == nil {
			bytes = strconv.FormatUint(size, 10)
		}
		if err := g.stdout.Record(ds, strconv.Itoa(len(victims[ds])), bytes); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}
