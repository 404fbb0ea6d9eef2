package main

import (
	"context"
	"errors"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func forgetCommand(g *globals) *ffcli.Command {
	fs := g.flags("forget")
	dry := fs.Bool("n", false, "print what would be released or removed, and change nothing")
	return &ffcli.Command{
		Name:       "forget",
		ShortUsage: "zreplctl forget [-n] [flags] job [dataset ...]",
		ShortHelp:  "Stop reporting copies whose source is gone, let another job use a client's identity, or remove the files of a removed job.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("forget requires the name of a job")
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			j, err := c.Job(args[0])
			if err != nil {
				if left := removed(c, args[0]); len(left) > 0 && len(args) == 1 {
					return g.forgetRemoved(ctx, c, args[0], left, *dry)
				}
				return cli.WithStatus(cli.Usage, err)
			}
			switch {
			case j.Serve != nil && len(args) == 1:
				return g.forgetClient(c, j, *dry)
			case j.Serve != nil:
				return g.forgetSent(ctx, c, j, args[1:], *dry)
			case !j.Replicates():
				return replicates("forget datasets of job", j)
			case len(args) == 1:
				return cli.Usagef("forget requires the datasets that job %q should forget", j.Name)
			}
			return g.forget(ctx, c, j, args[1:], *dry)
		},
	}
}

func (g *globals) forget(ctx context.Context, c *config.Config, j *config.Job, names []string, dry bool) error {
	r := &job.Run{Global: c.Global, Job: j}
	var err error
	if r.Programs, err = findPrograms(); err != nil {
		return err
	}
	released, err := r.Forget(ctx, names, dry)
	if errors.Is(err, job.ErrRunning) {
		return cli.WithStatus(cli.TryLater, cli.Cannot("forget datasets of job", j.Name, err))
	}
	if err != nil {
		return cli.Cannot("forget datasets of job", j.Name, err)
	}
	for _, l := range released {
		if err := g.stdout.Record(l.Name); err != nil {
			return cli.Quiet(err)
		}
	}
	return nil
}

// forgetClient lets another job of the client take the place of the one that
// used its identity so far.
func (g *globals) forgetClient(c *config.Config, j *config.Job, dry bool) error {
	for _, client := range j.Clients() {
		was, err := job.ForgetClient(c.Global, client, dry)
		if err != nil {
			return cli.Cannot("forget the client of job", j.Name, err)
		}
		if was == "" {
			continue
		}
		if err := g.stdout.Record(client, was); err != nil {
			return cli.Quiet(err)
		}
	}
	return nil
}
