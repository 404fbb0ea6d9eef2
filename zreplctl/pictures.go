package main

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/observe"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/upkeep"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/webpage"
)

const (
	maxPictures = 6    // of a job
	maxDots     = 2000 // of a picture
)

// pictures asks each job's policies for their verdicts on all snapshots, and
// draws the first datasets. What cannot be asked is left out: the report says
// elsewhere what is wrong.
func pictures(ctx context.Context, c *config.Config) []webpage.Picture {
	z, err := zfs.Find()
	if err != nil {
		return nil
	}
	var commands atomic.Int64
	z.Ran = func([]string) { commands.Add(1) }
	var all []webpage.Picture
	if !observe.Await(ctx, observe.Patience, commands.Load, func(ctx context.Context) { all = picturesOf(ctx, z, c) }) {
		return nil
	}
	return all
}

func picturesOf(ctx context.Context, z *zfs.ZFS, c *config.Config) (all []webpage.Picture) {
	for _, j := range c.Jobs {
		verdicts := map[string]bool{} // by snapshot: it is destroyed
		var order []string
		r := &job.Run{Global: c.Global, Job: j}
		u := &upkeep.Upkeep{ZFS: z, Job: j, DryRun: true, State: state.Of(c.Global), Unsent: r.Unsent, Bases: r.Known, HasArrived: r.HasArrived(),
			Judged: func(name string, v retention.Verdict) {
				ds, _, _ := dataset.Split(name)
				if !slices.Contains(order, ds) {
					if len(order) == maxPictures {
						return
					}
					order = append(order, ds)
				}
				verdicts[name] = v.Destroy
			}}
		if !j.Prunes() || u.Prune(ctx) != nil && len(order) == 0 {
			continue
		}
		all = append(all, draw(ctx, z, j, order, verdicts)...)
	}
	return all
}

// draw dates the snapshots of some datasets.
func draw(ctx context.Context, z *zfs.ZFS, j *config.Job, datasets []string, verdicts map[string]bool) (all []webpage.Picture) {
	if len(datasets) == 0 {
		return nil
	}
	byName := map[string]*webpage.Picture{}
	for _, ds := range datasets {
		side := "target"
		if j.Datasets != nil && j.Datasets.Pass(ds) || j.Type == config.Local && j.Mapping.Pass(ds) {
			side = "source"
		}
		byName[ds] = &webpage.Picture{Job: j.Name, Dataset: ds, Side: side}
	}
	now := time.Now()
	o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "creation"}, Roots: datasets, Depth: 1}
	err := z.List(ctx, o, func(f []string) error {
		ds, _, _ := dataset.Split(f[0])
		p := byName[ds]
		at, err := zfs.Creation(f[1])
		if p != nil && err == nil && len(p.Dots) < maxDots {
			p.Dots = append(p.Dots, webpage.Dot{Age: max(0, now.Sub(time.Unix(at, 0))), Destroy: verdicts[f[0]]})
		}
		return nil
	})
	if zfs.Present(err) != nil {
		return nil
	}
	for _, ds := range datasets {
		all = append(all, *byName[ds])
	}
	return all
}
