package main

import (
	"context"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

func metricsCommand(g *globals) *ffcli.Command {
	fs := g.flags("metrics")
	return &ffcli.Command{
		Name:       "metrics",
		ShortUsage: "zreplctl metrics [flags]",
		ShortHelp:  "Print how every job is in Prometheus's text format.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q: metrics shows all jobs", args[0])
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			in := observer(c, nil, time.Now()).Look(ctx)
			merge(&in, askDaemon(ctx, c))
			return cli.Quiet(health.Metrics(g.stdout, health.Judge(in), in.Daemon))
		},
	}
}
