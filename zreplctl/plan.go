package main

import (
	"context"
	"fmt"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func planCommand(g *globals) *ffcli.Command {
	fs := g.flags("plan")
	asJSON := fs.Bool("json", false, "print one JSON object for each dataset, a line each")
	sizes := fs.Bool("sizes", false, "also print how many bytes each stream has, about")
	return &ffcli.Command{
		Name:       "plan",
		ShortUsage: "zreplctl plan [-json] [-sizes] [flags] job",
		ShortHelp:  "Print what a run of a job would replicate, and why; change nothing.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("plan requires the name of one job")
			}
			return g.plan(ctx, args[0], *asJSON, *sizes)
		},
	}
}

func (g *globals) plan(ctx context.Context, name string, asJSON, withSizes bool) error {
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
	for _, line := range hook.Describe(&j.Hooks) {
		g.sayOf(j)(line)
	}
	r := &job.Run{Global: c.Global, Job: j, Programs: programs, Say: g.sayOf(j)}
	var results []plan.Result
	var sizes [][]uint64
	if withSizes {
		results, sizes, err = r.PlanSizes(ctx)
	} else {
		results, err = r.Plan(ctx)
	}
	if err != nil {
		return planError(name, err)
	}
	failed, advice, at := 0, []string(nil), map[string][]*plan.Result{}
	for i := range results {
		if c := results[i].Conflict; c != nil && c.Reason.Failure() {
			failed++
			text := hintFor(c.Reason, results[i].Target)
			if text != "" && at[text] == nil {
				advice = append(advice, text)
			}
			at[text] = append(at[text], &results[i])
		}
	}
	if err := g.printResults(results, sizes, asJSON); err != nil {
		return cli.Quiet(err)
	}
	for _, text := range advice {
		g.say("hint: %s", adviceOn(name, text, at[text]))
	}
	if failed > 0 {
		return fmt.Errorf("cannot replicate %s of job %q", plural.Of(failed, "dataset"), name)
	}
	return nil
}

// adviceOn is a hint with the names of the one result that it is for.
func adviceOn(job, text string, results []*plan.Result) string {
	if len(results) > 1 {
		return text
	}
	base := ""
	if b := results[0].Base; b != nil {
		base = b.Receiver.Name
	}
	return filled(text, job, results[0].Target, base)
}
