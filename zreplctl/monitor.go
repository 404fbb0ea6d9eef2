package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

func monitorCommand(g *globals) *ffcli.Command {
	fs := g.flags("monitor")
	warn := fs.String("warn", "", "copies older than this `age` are a warning")
	crit := fs.String("crit", "", "copies older than this `age` are critical")
	return &ffcli.Command{
		Name:       "monitor",
		ShortUsage: "zreplctl monitor [-warn age] [-crit age] [flags] [job ...]",
		ShortHelp:  "Print one line that says whether the backup is well, and exit with 0 to 3, as a Nagios plugin.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			level, line := g.monitor(ctx, *warn, *crit, args)
			if err := g.stdout.Text(line + "\n"); err != nil {
				level = health.Unknown // who asked was told nothing
			}
			return cli.WithStatus(int(level), nil)
		},
	}
}

// monitor returns the line and the level. What goes wrong here is unknown, and
// never ok.
func (g *globals) monitor(ctx context.Context, warn, crit string, jobs []string) (health.Level, string) {
	limits, err := parseLimits(warn, crit)
	if err != nil {
		return unknown(err)
	}
	c, err := g.read()
	if err == nil {
		err = areJobs(c, jobs)
	}
	if err != nil {
		return unknown(err)
	}
	o := observer(c, jobs, time.Now())
	o.Warn, o.Crit = limits.Warn, limits.Crit
	in := o.Look(ctx)
	merge(&in, askDaemon(ctx, c))
	if ctx.Err() != nil {
		return unknown(context.Cause(ctx))
	}
	r := health.Judge(in)
	return r.Level, health.Plugin(r)
}

func unknown(err error) (health.Level, string) {
	return health.Unknown, "ZREPLCTL UNKNOWN - " + strings.ReplaceAll(clean.Line(err.Error(), maxText), "|", "/")
}

func parseLimits(warn, crit string) (l config.Limit, err error) {
	for _, one := range []struct {
		flag, text string
		to         *time.Duration
	}{{"-warn", warn, &l.Warn}, {"-crit", crit, &l.Crit}} {
		if one.text == "" {
			continue
		}
		if *one.to, err = config.ParseDuration(one.text); err != nil {
			return l, fmt.Errorf("%s: %w", one.flag, err)
		}
	}
	if l.Warn > 0 && l.Crit > 0 && l.Warn > l.Crit {
		return l, fmt.Errorf("-warn %s is longer than -crit %s", warn, crit)
	}
	return l, nil
}
