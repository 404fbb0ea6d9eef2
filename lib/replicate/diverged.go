package replicate

import (
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// A source that was rolled back leaves its copy diverged, and the job's hold on
// what the source has lost. zfs rollback to the base destroys that snapshot, so
// the hold goes as soon as the base is held.

// maxBarring is how many snapshots of a diverged copy a run that is not thorough
// asks about. The job received the first ones after the base; a person or
// another program made those that follow.
const maxBarring = 200

// barring are the snapshots that a rollback of a diverged target to its base
// would destroy and of which the sender has neither a snapshot nor a bookmark,
// the oldest first.
func (v *view) barring(p plan.Result) (out []transfer.Snap) {
	if p.Base == nil || p.Conflict == nil || p.Conflict.Reason != plan.Diverged || v.resumes(p) {
		return nil
	}
	for _, s := range slices.Backward(v.beyondBase(p)) {
		if len(out) < maxBarring && !v.listed()[s.GUID] {
			out = append(out, snap(p.Target, s))
		}
	}
	return out
}

// resumes reports whether the target has a part of a stream that the sender
// could still go on with.
func (v *view) resumes(p plan.Result) bool {
	part := v.targets[p.Target].Partial
	return part != nil && v.listed()[part.To]
}

// listed are the guids of all that the sender lists, whatever dataset it is of.
func (v *view) listed() map[dataset.GUID]bool {
	if v.guids != nil {
		return v.guids
	}
	v.guids = map[dataset.GUID]bool{}
	for _, d := range v.all {
		for _, s := range d.Versions {
			v.guids[s.GUID] = true
		}
	}
	return v.guids
}

// heldBeyondBase are those of barring that the job holds. The base is held:
// the caller has skipped every dataset where that failed.
func (r *round) heldBeyondBase(i int) []transfer.Snap {
	p := r.results[i]
	held := r.view.targets[p.Target].Held
	return slices.DeleteFunc(r.view.barring(p), func(s transfer.Snap) bool { return !held.Has(s.Name) })
}
