package main

import (
	"context"
	"errors"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/notify"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

func notifyCommand(g *globals) *ffcli.Command {
	fs := g.flags("notify")
	return &ffcli.Command{
		Name:       "notify",
		ShortUsage: "zreplctl notify [flags]",
		ShortHelp:  "Run the commands of notify for each job whose state has changed.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q: notify looks at all jobs", args[0])
			}
			c, err := g.load()
			if err != nil || !c.Notifies() {
				return err
			}
			in := observer(c, nil, time.Now()).Look(ctx)
			merge(&in, askDaemon(ctx, c))
			n := notify.Notifier{Config: c, Dir: state.Of(c.Global)}
			if err = n.Tell(ctx, health.Judge(in)); errors.Is(err, notify.ErrBusy) {
				return cli.WithStatus(cli.TryLater, err)
			}
			return err
		},
	}
}
