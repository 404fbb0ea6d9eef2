package main

import (
	"context"
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/upkeep"
)

// onHost looks at this host's ZFS for what clients could do to it. Without a
// ZFS that answers there is nothing to say: the configuration may be meant for
// another host.
func onHost(ctx context.Context, c *config.Config) (warnings []*config.Problem) {
	z, err := zfs.Find()
	if err != nil {
		return nil
	}
	for _, j := range c.Jobs {
		var said []string
		switch j.Type {
		case config.PushSink:
			said = unbounded(ctx, z, j)
		case config.Source:
			said = oldHolds(ctx, z, j)
		}
		for _, text := range said {
			warnings = append(warnings, c.Problem(j, "serve", text))
		}
	}
	return warnings
}

// unbounded finds the targets of a sink above which no quota stands.
func unbounded(ctx context.Context, z *zfs.ZFS, j *config.Job) (said []string) {
	for _, root := range j.Targets() {
		if quota, err := endpoint.Quota(ctx, z, root); err == nil && quota == "" {
			said = append(said, fmt.Sprintf("no quota is set on %q or above it: the client can fill the pool", root))
		}
	}
	return said
}

// oldHolds finds the client's holds that are older than max_hold.
func oldHolds(ctx context.Context, z *zfs.ZFS, j *config.Job) (said []string) {
	roots, _ := j.Datasets.Roots()
	held, err := endpoint.Held(ctx, z, roots, j.Datasets.Pass)
	if err != nil || len(held) == 0 {
		return nil
	}
	var tags []string
	for _, id := range j.Clients() {
		tags = append(tags, endpoint.CursorTag(string(j.Type), id))
	}
	old, _ := endpoint.OldHolds(ctx, z, held, tags, time.Now().Add(-j.MaxHold))
	for _, h := range old {
		said = append(said, upkeep.TooOld(j, h))
	}
	return said
}
