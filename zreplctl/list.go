package main

import (
	"context"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

func listCommand(g *globals) *ffcli.Command {
	return &ffcli.Command{
		Name:       "list",
		ShortUsage: "zreplctl list [flags]",
		ShortHelp:  "List the jobs: name, type, where from, where to, interval.",
		FlagSet:    g.flags("list"),
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q", args[0])
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			for _, j := range c.Jobs {
				from, to := j.Where()
				interval := "-"
				switch {
				case j.Cron != nil:
					interval = j.Cron.String()
				case j.Interval > 0:
					interval = config.FormatDuration(j.Interval)
				}
				if err := g.stdout.Record(j.Name, string(j.Type), from, to, interval); err != nil {
					return cli.Quiet(err)
				}
			}
			return nil
		},
	}
}
