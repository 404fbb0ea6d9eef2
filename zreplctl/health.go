package main

import (
	"context"
	"runtime/debug"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/observe"
)

// frugal makes the collector keep little garbage, in percent of what is in use:
// there may be a million snapshots, and monitoring should go unnoticed.
const frugal = 20

// observer looks at these jobs of c, or at all.
func observer(c *config.Config, jobs []string, now time.Time) *observe.Observer {
	debug.SetGCPercent(frugal)
	o := &observe.Observer{Config: c, Now: now, Jobs: jobs}
	if z, err := zfs.Find(); err == nil {
		o.ZFS = z
	}
	return o
}

// daemonPatience is how long the daemon may take to say how it is.
const daemonPatience = 10 * time.Second

// askDaemon returns what the daemon says, if it can be reached.
func askDaemon(ctx context.Context, c *config.Config) control.Status {
	ctx, cancel := context.WithTimeout(ctx, daemonPatience)
	defer cancel()
	s, err := control.Get(ctx, c.Global.Control)
	if err != nil {
		return control.Status{}
	}
	return s
}

// merge adds to what was found on this host what the daemon says.
func merge(in *health.Input, s control.Status) {
	if s.PID == 0 {
		return
	}
	in.Daemon.Running, in.Daemon.Died = true, false
	for i := range in.Jobs {
		f := &in.Jobs[i]
		at := slices.IndexFunc(s.Jobs, func(j control.Job) bool { return j.Name == f.Name })
		if at < 0 {
			in.Daemon.Stale = true // it has not got the job
			continue
		}
		j := s.Jobs[at]
		f.Broken = j.Problem
		if j.Next != nil {
			f.Next = j.Next.Time
		}
		f.Running = f.Running || j.State == control.Running
	}
}
