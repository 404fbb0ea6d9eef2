package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/upkeep"
)

func pullCommand(g *globals) *ffcli.Command {
	return g.runCommand(config.Pull, "Replicate what another host offers to this one, and prune here.")
}

func pushCommand(g *globals) *ffcli.Command {
	return g.runCommand(config.Push, "Take snapshots, replicate them to another host, and prune here.")
}

func localCommand(g *globals) *ffcli.Command {
	return g.runCommand(config.Local, "Take snapshots, replicate them within this host, and prune both sides.")
}

// runCommand is the command that runs a job of one type once.
func (g *globals) runCommand(t config.Type, help string) *ffcli.Command {
	fs := g.flags(string(t))
	skip := fs.String("skip", "", "leave out `parts`: snapshot, replicate, prune, joined by commas")
	retries := fs.Int("retries", 6, "reconnect so `many` times in a row where the link is lost")
	return &ffcli.Command{
		Name:       string(t),
		ShortUsage: fmt.Sprintf("zreplctl %s [-skip PARTS] [flags] job", t),
		ShortHelp:  help,
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s wants the name of one job", t)
			}
			parts, err := parseSkip(*skip)
			if err != nil {
				return err
			}
			c, j, err := g.job(args[0])
			if err != nil {
				return err
			}
			if j.Type != t {
				return cli.WithStatus(cli.Usage, fmt.Errorf("job %q is of type %s, not %s", j.Name, j.Type, t))
			}
			return g.runJob(ctx, c, j, parts, *retries)
		},
	}
}

func (g *globals) runJob(ctx context.Context, c *config.Config, j *config.Job, skip map[string]bool, retries int) error {
	programs, err := findPrograms()
	if err != nil {
		return err
	}
	r := &job.Run{Global: c.Global, Job: j, Programs: programs, Retries: retries,
		NoReplication: skip["replicate"],
		Say:           func(text string) { fmt.Fprintf(g.stderr, "zreplctl: %s: %s\n", j.Name, text) }}
	u, err := g.upkeep(j)
	if err != nil {
		return err
	}
	if j.Snapshots() && !skip["snapshot"] {
		r.Before = u.Snapshot
	}
	if upkeep.Prunes(j) && !skip["prune"] {
		r.After = u.Prune
	}
	return runError(j, r.Do(ctx))
}

// runError says which job failed, and with which exit status. Of several
// errors each is told.
func runError(j *config.Job, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, runError(j, e))
		}
		return errors.Join(all...)
	}
	var some *job.DatasetsError
	var link *transfer.LinkError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, job.ErrRunning):
		return cli.WithStatus(cli.TryLater, cli.Cannot("run job", j.Name, err))
	case errors.As(err, &some):
		return errors.Join(some.Each()...)
	case errors.As(err, &link):
		return cli.WithStatus(cli.TryLater, cli.Cannot("run job", j.Name, err))
	}
	return cli.Cannot("run job", j.Name, err)
}
