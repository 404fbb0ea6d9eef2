package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/upkeep"
)

func autosnapCommand(g *globals) *ffcli.Command {
	return g.upkeepCommand("autosnap", "snapshot",
		"Take snapshots of a job's datasets, and print their names.",
		func(j *config.Job) error {
			switch {
			case j.Snapshots():
				return nil
			case j.Sends() || j.Type == config.Autosnap:
				return errors.New("without snapshot_prefix it takes no snapshots")
			}
			return fmt.Errorf("a job of type %s takes no snapshots", j.Type)
		},
		func(u *upkeep.Upkeep) func(context.Context) error { return u.Snapshot })
}

// upkeepCommand is the command that does one part of a job.
func (g *globals) upkeepCommand(name, part, help string, fits func(*config.Job) error, do func(*upkeep.Upkeep) func(context.Context) error) *ffcli.Command {
	fs := g.flags(name)
	skip := fs.String("skip", "", "leave out `parts`, joined by commas: with "+part+" there is nothing to do")
	dryRun := fs.Bool("n", false, "change nothing: print the names that would be printed")
	return &ffcli.Command{
		Name:       name,
		ShortUsage: fmt.Sprintf("zreplctl %s [-n] [-skip parts] [flags] job", name),
		ShortHelp:  help,
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s wants the name of one job", name)
			}
			parts, err := parseSkip(*skip)
			if err != nil {
				return err
			}
			c, j, err := g.job(args[0])
			if err != nil {
				return err
			}
			if err := fits(j); err != nil {
				return cli.WithStatus(cli.Usage, cli.Cannot("run job", j.Name, err))
			}
			if parts[part] {
				return nil
			}
			u, err := g.upkeep(j)
			if err != nil {
				return err
			}
			r := &job.Run{Global: c.Global, Job: j, Part: name, NoReplication: true, Before: do(u)}
			u.Unsent = r.Unsent
			if u.DryRun = *dryRun; u.DryRun {
				return cli.Quiet(do(u)(ctx))
			}
			return cli.Quiet(runError(j, r.Do(ctx)))
		},
	}
}

// upkeep is the upkeep of a job that prints what it takes and destroys.
func (g *globals) upkeep(j *config.Job) (*upkeep.Upkeep, error) {
	z, err := zfs.Find()
	if err != nil {
		return nil, cli.WithStatus(cli.Usage, err)
	}
	show := func(name string) error {
		_, err := io.WriteString(g.stdout, name+"\n")
		return err
	}
	warn := func(text string) { fmt.Fprintf(g.stderr, "zreplctl: %s: warning: %s\n", j.Name, text) }
	return &upkeep.Upkeep{ZFS: z, Job: j, Created: show, Destroyed: show, Warn: warn}, nil
}
