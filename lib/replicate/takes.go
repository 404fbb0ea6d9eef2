package replicate

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// fit writes into the view what the receiver cannot take of what results
// would send, and reports whether anything is to be planned again. It asks the
// sender only where the receiver lacks something.
func (j *Job) fit(ctx context.Context, v *view, results []plan.Result) (again bool, err error) {
	if err := j.takes(ctx, v); err != nil {
		return false, err
	}
	takes := v.takes
	lacks := lacking(takes, results)
	uses := map[string]transfer.Uses{}
	if len(lacks) > 0 {
		ask := transfer.UsesRequest{Datasets: slices.Sorted(maps.Keys(lacks))}
		for _, list := range takes.Lacks {
			ask.Features = append(ask.Features, list...)
		}
		slices.Sort(ask.Features)
		ask.Features = slices.Compact(ask.Features)
		if uses, err = j.Sender.Uses(ctx, ask); err != nil {
			return false, fmt.Errorf("cannot ask the sender what its streams need: %w", err)
		}
	}
	first := map[string]bool{} // datasets whose chain begins
	for _, r := range results {
		first[r.Source] = len(r.Steps) > 0 && r.Steps[0].Initial()
	}
	for i := range v.inputs {
		in := &v.inputs[i]
		u := uses[in.Source]
		need := u.Surely
		if first[in.Source] {
			need = slices.Concat(need, u.Likely)
		}
		in.Lacks = slices.DeleteFunc(slices.Clone(need), func(f string) bool { return !slices.Contains(lacks[in.Source], f) })
		again = again || len(in.Lacks) > 0
	}
	return again, nil
}

// takes asks the receiver once what it takes.
func (j *Job) takes(ctx context.Context, v *view) (err error) {
	if v.asked {
		return nil
	}
	if v.takes, err = j.Receiver.Takes(ctx, struct{}{}); err != nil {
		return fmt.Errorf("cannot ask the receiver what it takes: %w", err)
	}
	v.asked = true
	return nil
}

// lacking returns what the pools lack to which the sources would be sent.
func lacking(t transfer.Takes, results []plan.Result) map[string][]string {
	lacks := map[string][]string{}
	for _, r := range results {
		pool := dataset.Pool(r.Target)
		if list := t.Lacks[pool]; r.Source != "" && len(r.Steps) > 0 && len(list) > 0 {
			lacks[r.Source] = list
		}
	}
	return lacks
}
