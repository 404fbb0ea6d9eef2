package main

import (
	"context"
	"errors"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

func abandonCommand(g *globals) *ffcli.Command {
	fs := g.flags("abandon")
	dry := fs.Bool("n", false, "print what would be released, and release nothing")
	return &ffcli.Command{
		Name:       "abandon",
		ShortUsage: "zreplctl abandon [-n] [flags] job",
		ShortHelp:  "Release everything that a job protects, on both sides, before you remove it.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("abandon requires the name of one job")
			}
			return g.abandon(ctx, args[0], *dry)
		},
	}
}

func (g *globals) abandon(ctx context.Context, name string, dry bool) error {
	c, err := g.load()
	if err != nil {
		return err
	}
	j, err := c.Job(name)
	if err != nil {
		return cli.WithStatus(cli.Usage, removedHint(err, name))
	}
	if err := replicates("abandon job", j); err != nil {
		return cli.Hint(err, "zreplctl holds -release %s releases what is held here for its client", name)
	}
	r := &job.Run{Global: c.Global, Job: j}
	if r.Programs, err = findPrograms(); err != nil {
		return err
	}
	left, err := r.Abandon(ctx, dry)
	for _, l := range left {
		side := "sender"
		if l.Receiver {
			side = "receiver"
		}
		if err := g.stdout.Record(l.Name, side); err != nil {
			return cli.Quiet(err)
		}
	}
	if link := (*transfer.LinkError)(nil); errors.As(err, &link) {
		return cli.Hint(runError(j, err), "if the other side is gone, zreplctl holds -release %s releases what is held here", name)
	}
	if err != nil {
		return runError(j, err)
	}
	if !dry {
		return job.ForgetRecord(state.Of(c.Global), name)
	}
	return nil
}

// removedHint adds to the error for a name that no job has what releases the
// holds of a job that was removed.
func removedHint(err error, name string) error {
	if identity.Check(name) != nil {
		return err
	}
	first := ""
	if known, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		first = known.Hint() + "; "
	}
	return cli.Hint(err, "%sif it was removed or renamed, zreplctl holds -release %s releases what it held on this host", first, name)
}
