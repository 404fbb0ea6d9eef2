package main

import (
	"cmp"
	"strconv"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
)

// printResults prints a plan, as lines of columns or of JSON. Sizes are those of
// its steps; nil: nobody asked for them.
func (g *globals) printResults(results []plan.Result, sizes [][]uint64, asJSON bool) error {
	return g.stdout.Buffered(func(out *cli.Out) error {
		for i := range results {
			var err error
			var of []uint64
			if sizes != nil {
				of = sizes[i]
			}
			if asJSON {
				err = out.JSON(plannedOf(&results[i], of))
			} else {
				err = printResult(out, &results[i], of, sizes != nil)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// printResult writes KIND⇥SOURCE⇥TARGET⇥FROM⇥TO⇥REASON, a line for each step,
// or one for why there is none. With sizes a last column has the bytes.
func printResult(out *cli.Out, r *plan.Result, sizes []uint64, with bool) error {
	for k, step := range r.Steps {
		more := []string(nil)
		if with {
			more = []string{"-"}
			if sizes[k] > 0 {
				more[0] = strconv.FormatUint(sizes[k], 10)
			}
		}
		if err := printStep(out, string(step.Kind), r, step.From, step.To, step.Reason, more...); err != nil {
			return err
		}
	}
	more := []string(nil)
	if with {
		more = []string{"-"}
	}
	var base *dataset.Version
	if r.Base != nil {
		base = &r.Base.Sender
	}
	switch {
	case r.Conflict != nil:
		return printStep(out, string(r.Conflict.Reason), r, base, nil, r.Says(), more...)
	case r.UpToDate():
		return printStep(out, string(plan.UpToDate), r, base, nil, r.Says(), more...)
	}
	return nil
}

func printStep(out *cli.Out, kind string, r *plan.Result, from, to *dataset.Version, reason string, more ...string) error {
	version := func(v *dataset.Version) string {
		if v == nil {
			return "-"
		}
		return v.String()
	}
	return out.Record(append([]string{kind, dash(r.Source), dash(r.Target), version(from), version(to), dash(reason)}, more...)...)
}

// dash stands in a column where there is nothing.
func dash(s string) string { return cmp.Or(s, "-") }
