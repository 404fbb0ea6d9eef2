package replicate

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// originOf is what a plan knows of a dataset that is a clone.
func originOf(d transfer.Dataset) *plan.Origin {
	if d.Origin == (transfer.Snap{}) {
		return nil
	}
	return &plan.Origin{Source: d.Origin.Dataset,
		Version: dataset.Version{Kind: dataset.Snapshot, Name: d.Origin.Name, GUID: d.Origin.GUID}}
}

// takesClones asks the receiver whether it takes clones, if anything would be one. A
// file has its streams already, and they make none.
func (j *Job) takesClones(ctx context.Context, v *view) (bool, error) {
	begins := func(in plan.Input) bool {
		return in.Origin != nil && (in.Receiver == nil || len(in.Receiver.Versions) == 0)
	}
	if j.Policy.Once || !slices.ContainsFunc(v.inputs, begins) {
		return false, nil
	}
	err := j.takes(ctx, v)
	return v.takes.Clones, err
}

// shares is the receiver's snapshot of which a step makes a clone.
func shares(step plan.Step) transfer.Snap {
	if step.Origin == "" {
		return transfer.Snap{}
	}
	ds, _, short := dataset.Split(step.Shares)
	return transfer.Snap{Dataset: ds, Name: short, GUID: step.From.GUID}
}

// sayWhole says once which clones are sent in full, though the receiver takes clones:
// that cannot be mended afterwards, and costs space for good.
func (r *round) sayWhole() {
	for _, p := range r.results {
		if p.Whole == "" || len(p.Steps) == 0 || p.Steps[0].Kind != plan.Full || r.whole[p.Target] {
			continue
		}
		if r.whole == nil {
			r.whole = map[string]bool{}
		}
		r.whole[p.Target] = true
		r.say(fmt.Sprintf("warning: the copy of %q shares nothing with its origin: %s", p.Source, p.Whole))
	}
}

// notAfter says why result i does not come where another one has failed.
func (r *round) notAfter(i, failed int) error {
	target := r.results[failed].Target
	if dataset.Within(r.results[i].Target, target) {
		return fmt.Errorf("%q above it failed", target)
	}
	return fmt.Errorf("%q failed, which has to come before it: it is a clone", target)
}
