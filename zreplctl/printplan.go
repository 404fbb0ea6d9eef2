package main

import (
	"cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
)

// printResults prints a plan, as lines of columns or of JSON.
func (g *globals) printResults(results []plan.Result, asJSON bool) error {
	return g.stdout.Buffered(func(out *cli.Out) error {
		for i := range results {
			var err error
			if asJSON {
				err = out.JSON(plannedOf(&results[i]))
			} else {
				err = printResult(out, &results[i])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// printResult writes KIND⇥SOURCE⇥TARGET⇥FROM⇥TO⇥REASON, a line for each step,
// or one for why there is none.
func printResult(out *cli.Out, r *plan.Result) error {
	for _, step := range r.Steps {
		if err := printStep(out, string(step.Kind), r, step.From, step.To, step.Reason); err != nil {
			return err
		}
	}
	var base *dataset.Version
	if r.Base != nil {
		base = &r.Base.Sender
	}
	switch {
	case r.Conflict != nil:
		return printStep(out, string(r.Conflict.Reason), r, base, nil, r.Conflict.Text)
	case r.UpToDate():
		return printStep(out, string(plan.UpToDate), r, base, nil, r.Discard)
	}
	return nil
}

func printStep(out *cli.Out, kind string, r *plan.Result, from, to *dataset.Version, reason string) error {
	version := func(v *dataset.Version) string {
		if v == nil {
			return "-"
		}
		return v.String()
	}
	return out.Record(kind, dash(r.Source), dash(r.Target), version(from), version(to), dash(reason))
}

// dash stands in a column where there is nothing.
func dash(s string) string { return cmp.Or(s, "-") }
