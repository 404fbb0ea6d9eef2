package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/peterbourgon/ff/v3/ffcli"
	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

func showCommand(g *globals) *ffcli.Command {
	fs := g.flags("show")
	side := fs.String("side", "", "for a local job: print the policy of `side` lhs (source) or rhs (target)")
	return &ffcli.Command{
		Name:       "show",
		ShortUsage: "zreplctl show [-side lhs|rhs] [flags] job rules|policy|datasets",
		ShortHelp:  "Print a job's rules for zmapfilter -f, its retention policy for zprune -policy, or which datasets of this host it takes, and why.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 2 || !slices.Contains([]string{"rules", "policy", "datasets"}, args[1]) {
				return cli.Usagef("show requires the name of a job, and rules, policy or datasets")
			}
			_, j, err := g.job(args[0])
			if err != nil {
				return err
			}
			if args[1] == "datasets" {
				if *side != "" {
					return cli.Usagef("-side is allowed with policy only")
				}
				return g.showDatasets(ctx, j)
			}
			text, err := shown(j, args[1], *side)
			if err != nil {
				return err
			}
			return cli.Quiet(g.stdout.Text(string(text)))
		},
	}
}

func shown(j *config.Job, what, side string) ([]byte, error) {
	if what == "rules" {
		return shownRules(j, side)
	}
	policy, err := policyOf(j, side)
	if err != nil {
		return nil, err
	}
	if policy == nil {
		return nil, cli.Cannot("show policy of job", j.Name, fmt.Errorf("it has none, and destroys nothing"))
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(policy); err != nil {
		return nil, cli.Cannot("show policy of job", j.Name, err)
	}
	return b.Bytes(), nil
}

func shownRules(j *config.Job, side string) ([]byte, error) {
	switch {
	case side != "":
		return nil, cli.Usagef("-side is allowed with policy only")
	case j.Root != "":
		return fmt.Appendf(nil, "\"<\": %q\n", j.Root), nil
	case j.Mapping != nil:
		return []byte(j.Mapping.String()), nil
	}
	return []byte(j.Datasets.String()), nil
}

func policyOf(j *config.Job, side string) (*retention.Policy, error) {
	sides := j.Sides()
	switch {
	case len(sides) < 2 && side != "":
		return nil, cli.Usagef("-side: a %s job has one policy only", j.Type)
	case len(sides) < 2:
		return j.Prune, nil
	case side == "lhs":
		return sides[0].Policy, nil
	case side == "rhs":
		return sides[1].Policy, nil
	}
	return nil, cli.Usagef("a local job has two policies: say -side lhs or -side rhs")
}
