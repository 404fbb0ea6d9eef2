package replicate

import (
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Unreleased are snapshots whose hold a run could not release. The next run
// asks about them by name: it need not look through all holds for them.
type Unreleased struct {
	Sender   []transfer.Snap `json:"sender,omitempty"`
	Receiver []transfer.Snap `json:"receiver,omitempty"`
}

// maxUnreleased is how many are asked about. If there are more, the next run
// looks through all holds.
const maxUnreleased = 1000

// Left returns, after Run, what the run could not release.
func (j *Job) Left() Unreleased { return j.left }

// remain notes what of one dataset could not be released.
func (r *round) remain(list *[]transfer.Snap, releases []transfer.Snap, ds string) {
	for _, s := range releases {
		if s.Dataset == ds {
			*list = append(*list, s)
		}
	}
	if len(*list) > maxUnreleased {
		r.untidy = true
	}
}

// of leaves of snaps those of datasets that are there.
func of(snaps []transfer.Snap, there map[string]transfer.Dataset) (some []transfer.Snap) {
	for _, s := range snaps {
		if _, ok := there[s.Dataset]; ok {
			some = append(some, s)
		}
	}
	return some
}
