package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// showDatasets prints which datasets of this host a job snapshots, sends or
// prunes, and which not, and why: a dataset a line, with yes or no, the rule
// and what select found.
func (g *globals) showDatasets(ctx context.Context, j *config.Job) error {
	fail := func(err error) error { return cli.Cannot("show datasets of job", j.Name, err) }
	if !hasSource(j) {
		return cli.WithStatus(cli.Usage, fail(errors.New("its rules are about datasets of another host")))
	}
	z, err := zfs.Find()
	if err != nil {
		return cli.WithStatus(cli.Usage, err)
	}
	names, err := z.Names(ctx, nil)
	if err != nil {
		return fail(err)
	}
	narrow, err := choose.Look(ctx, z, j)
	if err != nil {
		return fail(err)
	}
	for _, name := range names {
		rule := j.Sources().Explain(name)
		if rule.Rule == nil {
			continue
		}
		if err := g.stdout.Record(name, taken(narrow, name), ruleOf(rule), chosenBy(narrow, name)); err != nil {
			return cli.Quiet(err)
		}
	}
	if err := choose.None(narrow); err != nil {
		return fail(err)
	}
	return nil
}

func taken(j *config.Job, name string) string {
	if j.Sources().Pass(name) {
		return "yes"
	}
	return "no"
}

func ruleOf(d mapfilter.Decision) string { return d.Rule.String() }

// chosenBy says what select found; "-": it was not asked.
func chosenBy(j *config.Job, name string) string {
	c, asked := j.Choices[name]
	switch {
	case j.Select == nil || !j.Allows(name):
		return "-"
	case !asked:
		return fmt.Sprintf("%s: not there when it was looked at", j.Select.Name)
	}
	return fmt.Sprintf("%s: %s", j.Select.Name, c.Why())
}
