package job

import (
	"cmp"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/verify"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// last says when a copy was last verified.
func (n *notes) last(target string) string {
	known, ok := n.known[target]
	at := func(seconds int64) string { return time.Unix(seconds, 0).Format(time.DateTime) }
	switch {
	case known.Differs():
		return "differed " + at(known.Differing[0].At)
	case known.Failed > 0:
		return "failed " + at(known.Failed)
	case !ok || known.At == 0:
		return "never verified"
	}
	return "verified " + at(known.At)
}

// replaced reports whether a copy is another one than that which was compared.
func replaced(known state.Verification, p replicate.Pair) bool {
	was := map[dataset.GUID]uint64{known.GUID: known.TXG}
	for _, d := range known.Differing {
		was[d.GUID] = d.TXG
	}
	for _, base := range p.Common {
		if txg, ok := was[base.Receiver.GUID]; ok && txg != base.Receiver.CreateTXG {
			return true
		}
	}
	return false
}

// found adds to what is known of a copy what comparing its snapshots has shown. A
// snapshot that differs stays on record while both sides have it, until it was
// found to be the same.
func found(one state.Verification, p replicate.Pair, all []verify.Result, now int64) state.Verification {
	differing := map[dataset.GUID]state.Differing{}
	for _, d := range one.Differing {
		differing[d.GUID] = d
	}
	same, failed := false, false
	for _, r := range all {
		switch r.Outcome {
		case verify.Same:
			delete(differing, r.GUID)
		case verify.Differs:
			differing[r.GUID] = state.Differing{At: now, Snapshot: r.Snapshot, GUID: r.GUID, TXG: r.TXG, Why: r.Why}
		}
		if done := r.Outcome == verify.Same || r.Outcome == verify.Differs; done || r.Unread {
			same = same || done
			if r.TXG >= one.TXG {
				one.GUID, one.TXG = r.GUID, r.TXG
			}
		}
		if r.Unread && !failed {
			failed, one.Failed, one.Why = true, now, "@"+r.Snapshot+": "+r.Why
		}
	}
	if same {
		one.At = now
	}
	if same && !failed {
		one.Failed, one.Why = 0, ""
	}
	one.Differing = nil
	for _, base := range p.Common {
		if d, ok := differing[base.Receiver.GUID]; ok {
			one.Differing = append(one.Differing, d)
		}
	}
	slices.SortStableFunc(one.Differing, func(a, b state.Differing) int { return cmp.Compare(b.TXG, a.TXG) })
	return one
}
