package main

import (
	"context"
	"errors"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

func checkCommand(g *globals) *ffcli.Command {
	fs := g.flags("check")
	asJSON := fs.Bool("json", false, "print one JSON object instead of text")
	return &ffcli.Command{
		Name:       "check",
		ShortUsage: "zreplctl check [-json] [flags]",
		ShortHelp:  "Check the configuration, and print what each job will do.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q", args[0])
			}
			c, err := g.load()
			var notes []string
			if err == nil {
				idle, note := idleRules(ctx, c)
				if note != "" {
					notes = append(notes, note)
				}
				c.Warnings = append(c.Warnings, idle...)
				c.Warnings = append(c.Warnings, selections(ctx, c)...)
				c.Warnings = append(c.Warnings, surroundings(ctx, c)...)
				c.Warnings = append(c.Warnings, onHost(ctx, c)...)
				c.SortWarnings()
			}
			if *asJSON {
				return checkJSON(g.stdout, c, notes, err)
			}
			if err != nil {
				return err
			}
			return g.checkText(c, notes)
		},
	}
}

// report is what check -json prints.
type report struct {
	OK       bool              `json:"ok"`
	Errors   []*config.Problem `json:"errors"`
	Warnings []*config.Problem `json:"warnings"`
	Notes    []string          `json:"notes,omitempty"` // what could not be checked
	Jobs     []jobReport       `json:"jobs"`
}

type jobReport struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Summary string `json:"summary"`
}

func checkJSON(out *cli.Out, c *config.Config, notes []string, err error) error {
	r := report{OK: err == nil, Errors: problems(err), Warnings: []*config.Problem{}, Notes: notes, Jobs: []jobReport{}}
	if c != nil {
		r.Warnings = append(r.Warnings, c.Warnings...)
		for _, j := range c.Jobs {
			r.Jobs = append(r.Jobs, jobReport{j.Name, string(j.Type), j.Summary()})
		}
	}
	if werr := out.IndentedJSON(r); werr != nil {
		return cli.Quiet(werr)
	}
	if err != nil {
		return cli.WithStatus(cli.Status(err), nil)
	}
	return nil
}

// problems takes a joined error apart.
func problems(err error) []*config.Problem {
	all := []*config.Problem{}
	if err == nil {
		return all
	}
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, problems(e)...)
		}
		return all
	}
	if p, ok := errors.AsType[*config.Problem](err); ok {
		return append(all, p)
	}
	return append(all, &config.Problem{Message: err.Error()})
}

func (g *globals) checkText(c *config.Config, notes []string) error {
	for _, note := range notes {
		g.say("note: %s", note)
	}
	for _, w := range c.Warnings {
		g.say("warning: %v", w)
	}
	for _, j := range c.Jobs {
		if err := g.stdout.Record(j.Name, string(j.Type), j.Summary()); err != nil {
			return cli.Quiet(err)
		}
	}
	return nil
}
