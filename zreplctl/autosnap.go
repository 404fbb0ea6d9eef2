package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/reading"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
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
	skip := fs.String("skip", "", "leave out `parts`, joined by commas; "+part+" leaves out everything")
	dryRun := fs.Bool("n", false, "print the names of the snapshots, and change nothing")
	explain, sizes, usage := false, false, "[-n]"
	if name == "prune" {
		usage = "[-explain] [-n [-sizes]]"
		fs.BoolVar(&sizes, "sizes", false, "with -n: print for each dataset how many snapshots would be destroyed and how many bytes that frees, about")
		fs.BoolVar(&explain, "explain", false, "print each snapshot with keep or destroy and the rule that decided, and destroy nothing")
	}
	return &ffcli.Command{
		Name:       name,
		ShortUsage: fmt.Sprintf("zreplctl %s %s [-skip parts] [flags] job", name, usage),
		ShortHelp:  help,
		FlagSet:    fs,
		Exec: reportsEnd(fs, func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s requires the name of one job", name)
			}
			if sizes && (!*dryRun || explain) {
				return cli.Usagef("-sizes requires -n, and is not allowed with -explain")
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
			u, err := g.upkeep(j, g.name, g.name)
			if err != nil {
				return err
			}
			r := &job.Run{Global: c.Global, Job: j, Part: name, NoReplication: true, Before: do(u), Say: g.sayOf(j)}
			g.join(r, u)
			if explain {
				g.explain(u)
			}
			if sizes {
				return cli.Quiet(g.freed(ctx, u))
			}
			if u.DryRun = *dryRun || explain; u.DryRun { // who asks why wants to know before
				return cli.Quiet(do(u)(ctx))
			}
			return cli.Quiet(runError(j, r.Do(ctx)))
		}),
	}
}

// name prints a snapshot of a command that does one thing with them.
func (g *globals) name(snapshot string) error { return g.stdout.Record(snapshot) }

// taken and destroyed print a snapshot of a command that does both.
func (g *globals) taken(snapshot string) error     { return g.stdout.Record(snapshot, "taken") }
func (g *globals) destroyed(snapshot string) error { return g.stdout.Record(snapshot, "destroyed") }

// explain prints verdicts as zprune -explain does, instead of what is destroyed.
func (g *globals) explain(u *upkeep.Upkeep) {
	u.Destroyed = nil
	var broken error // the reader has gone: that is no reason to stop
	u.Judged = func(snapshot string, v retention.Verdict) {
		word := "keep"
		if v.Destroy {
			word = "destroy"
		}
		if broken == nil {
			broken = g.stdout.Record(word, v.Rule, snapshot)
		}
	}
}

// join lets upkeep know what the run does, and the run what upkeep finds. Both
// have the job's hooks.
func (g *globals) join(r *job.Run, u *upkeep.Upkeep) {
	u.Unsent, u.Bases, u.Looked = r.Unsent, r.Known, r.NoteLooked
	u.State, u.HasArrived = state.Of(r.Global), r.HasArrived()
	u.Reading = reading.In(r.Global.RunDir).Now
	r.Hooks = hook.Of(r.Job, u.State, r.Say)
	r.Hooks.Datasets, r.Hooks.Gone = u.Due, u.Gone
	u.Hooks = r.Hooks
	r.ExitStatus = func(err error) int { return cli.Status(runError(r.Job, err)) }
}

// upkeep is the upkeep of a job that prints what it takes and destroys.
func (g *globals) upkeep(j *config.Job, taken, destroyed func(string) error) (*upkeep.Upkeep, error) {
	z, err := zfs.Find()
	if err != nil {
		return nil, cli.WithStatus(cli.Usage, err)
	}
	warn := func(text string) { g.say("%s: warning: %s", j.Name, text) }
	return &upkeep.Upkeep{ZFS: z, Job: j, Created: taken, Destroyed: destroyed, Warn: warn}, nil
}
