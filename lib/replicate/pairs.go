package replicate

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Pair is a dataset and its copy.
type Pair struct {
	Source, Target string
	// Raw says that the copy has the source's encrypted blocks.
	Raw bool
	// Gone says that the copy is not there, and its pool is.
	Gone bool
	// Common are the snapshots that both have, the newest first.
	Common []plan.Base
	// Why says why there is nothing to compare; Wrong: that is a failure.
	Why   string
	Wrong bool
}

// Copies are the datasets that a job replicates, with their copies.
type Copies struct {
	Pairs []Pair // in the order of their sources
	view  *view
}

// Gone reports whether a target is surely not there.
func (c Copies) Gone(target string) bool {
	_, there := c.view.targets[target]
	return !there && c.view.hasPool(dataset.Pool(target))
}

// Pairs returns the copies of the job. It changes nothing.
func (j *Job) Pairs(ctx context.Context) (Copies, error) {
	v, err := j.look(ctx, transfer.ListRequest{})
	if err != nil {
		return Copies{}, err
	}
	if err := j.scope(v); err != nil {
		return Copies{}, err
	}
	var pairs []Pair
	for _, r := range v.outlaws.all() {
		pairs = append(pairs, Pair{Source: r.Source, Target: r.Target, Why: r.Conflict.Text, Wrong: true})
	}
	slices.SortFunc(v.inputs, func(a, b plan.Input) int { return cmp.Compare(a.Source, b.Source) })
	for _, in := range v.inputs {
		pairs = append(pairs, v.couple(in))
	}
	return Copies{pairs, v}, nil
}

func (v *view) couple(in plan.Input) Pair {
	p := Pair{Source: in.Source, Target: in.Target}
	target, there := v.targets[in.Target]
	switch pool := dataset.Pool(in.Target); {
	case in.Illegal != "":
		p.Why, p.Wrong = in.Illegal, true
		return p
	case !v.hasPool(pool): // the copies are in it
		p.Why, p.Wrong = fmt.Sprintf("pool %q is not imported: zpool import %s", pool, pool), true
		return p
	case !there, target.Placeholder && len(target.Versions) == 0:
		p.Why, p.Gone = "there is no copy", true
		return p
	}
	p.Raw, p.Common = in.Send.Raw, onBoth(in.Sender, target.Versions)
	switch raw := target.RawCopy(); {
	case len(p.Common) == 0:
		p.Why = "no snapshot is on both sides"
	case !p.Raw && raw && target.Copy:
		p.Why, p.Wrong = "the copy has encrypted blocks, and the source is read as plain text", true
	case p.Raw && !raw:
		p.Why, p.Wrong = "the copy is plain text, and the source is read as encrypted blocks", true
	}
	return p
}

// hasPool reports whether the receiver has listed anything of a pool.
func (v *view) hasPool(pool string) bool {
	if v.pools == nil {
		v.pools = map[string]bool{}
		for name := range v.targets {
			v.pools[dataset.Pool(name)] = true
		}
	}
	return v.pools[pool]
}

// onBoth are the snapshots that both sides have by guid, the newest of the
// receiver's first.
func onBoth(sender, receiver []dataset.Version) (both []plan.Base) {
	byGUID := make(map[dataset.GUID]dataset.Version, len(sender))
	for _, v := range sender {
		if v.Kind == dataset.Snapshot {
			byGUID[v.GUID] = v
		}
	}
	for _, v := range receiver {
		if s, ok := byGUID[v.GUID]; ok && v.Kind == dataset.Snapshot {
			both = append(both, plan.Base{Sender: s, Receiver: v})
		}
	}
	slices.SortStableFunc(both, func(a, b plan.Base) int { return cmp.Compare(b.Receiver.CreateTXG, a.Receiver.CreateTXG) })
	return both
}
