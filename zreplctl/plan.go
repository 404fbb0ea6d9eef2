package main

import (
	"context"
	"fmt"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func planCommand(g *globals) *ffcli.Command {
	fs := g.flags("plan")
	asJSON := fs.Bool("json", false, "print one JSON object for each dataset, a line each")
	return &ffcli.Command{
		Name:       "plan",
		ShortUsage: "zreplctl plan [-json] [flags] job",
		ShortHelp:  "Print what a run of a job would replicate, and why; change nothing.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("plan requires the name of one job")
			}
			return g.plan(ctx, args[0], *asJSON)
		},
	}
}

func (g *globals) plan(ctx context.Context, name string, asJSON bool) error {
	c, j, err := g.job(name)
	if err != nil {
		return err
	}
	if err := replicates("plan job", j); err != nil {
		return err
	}
	programs, err := findPrograms()
	if err != nil {
		return err
	}
	r := &job.Run{Global: c.Global, Job: j, Programs: programs, Say: g.sayOf(j)}
	results, err := r.Plan(ctx)
	if err != nil {
		return planError(name, err)
	}
	failed := 0
	for i := range results {
		if c := results[i].Conflict; c != nil && c.Reason.Failure() {
			failed++
		}
	}
	if err := g.printResults(results, asJSON); err != nil {
		return cli.Quiet(err)
	}
	if failed > 0 {
		return fmt.Errorf("%d datasets of job %q cannot be replicated", failed, name)
	}
	return nil
}
