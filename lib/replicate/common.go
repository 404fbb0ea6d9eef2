package replicate

import (
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// untold is what the sender does not know yet of what the receiver has. Only
// the receiver can tell: the sender holds the end of a stream before it is sent.
func (r *round) untold(p plan.Result) []transfer.Snap {
	noted := r.view.sources[p.Source].Common
	v, known := r.common(p)
	if noted == "" || !known {
		return nil
	}
	now := v.GUID.String()
	if v.GUID == 0 {
		now = transfer.CommonNone
	}
	if now == noted {
		return nil
	}
	return []transfer.Snap{snap(p.Source, v)}
}

// common is the newest version that both ends have of a dataset, or zero if
// there is none. Known is false if this look does not tell.
func (r *round) common(p plan.Result) (v dataset.Version, known bool) {
	_, there := r.view.targets[p.Target]
	switch {
	case p.Source == "", p.Conflict != nil && p.Conflict.Reason == plan.Renamed: // its copy has the old name
		return v, false
	case !there && !r.view.hasPool(dataset.Pool(p.Target)): // the copies are in it
		return v, false
	case p.Newest != nil:
		return p.Newest.Sender, true
	case p.Base != nil:
		return p.Base.Sender, true
	case p.Conflict == nil:
		return v, len(p.Steps) > 0 || !there
	}
	return v, !there || p.Conflict.Reason == plan.Unrelated || p.Conflict.Reason == plan.Promoted
}
