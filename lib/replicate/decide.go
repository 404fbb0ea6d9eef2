package replicate

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// decide plans, and plans again where snapshots that would be sent turn out to
// be marked for destruction, or more than the receiver takes.
func (j *Job) decide(ctx context.Context, v *view) ([]plan.Result, error) {
	policy := j.Policy
	policy.BookmarkLen = v.mark
	clones, err := j.takesClones(ctx, v)
	if err != nil {
		return nil, err
	}
	policy.Clones = clones
	results := plan.All(v.inputs, v.lookup, policy)
	if slices.ContainsFunc(results, refusedForKey) {
		if err := j.takes(ctx, v); err != nil {
			return nil, err
		}
		policy.PlainCopies, policy.PlainPlaceholders = v.takes.PlainCopies, v.takes.PlainPlaceholders
		results = plan.All(v.inputs, v.lookup, policy)
	}
	ask := sent(results)
	if len(ask) == 0 {
		return results, nil
	}
	var marked []transfer.Snap
	var again bool
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() { again, errs[0] = j.fit(ctx, v, results) })
	wg.Go(func() { marked, errs[1] = j.Sender.Deferred(ctx, ask) })
	wg.Wait()
	switch {
	case errs[0] != nil:
		return nil, errs[0]
	case errs[1] != nil:
		return nil, fmt.Errorf("cannot ask the sender what is to be destroyed: %w", errs[1])
	case len(marked) == 0 && !again:
		return results, nil
	}
	deferred := map[string]map[dataset.GUID]bool{}
	for _, s := range marked {
		if deferred[s.Dataset] == nil {
			deferred[s.Dataset] = map[dataset.GUID]bool{}
		}
		deferred[s.Dataset][s.GUID] = true
	}
	for i := range v.inputs {
		v.inputs[i].Deferred = deferred[v.inputs[i].Source]
	}
	return plan.All(v.inputs, v.lookup, policy), nil
}

// refusedForKey reports whether the receiver's own configuration may allow
// what is refused for a key that is not loaded.
func refusedForKey(r plan.Result) bool {
	return r.Conflict != nil && (r.Conflict.Reason == plan.KeyNotLoaded || r.Conflict.Reason == plan.PlaceholderEncrypted)
}

// sent are the snapshots that results would send, and those that they miss.
func sent(results []plan.Result) (snaps []transfer.Snap) {
	for _, r := range results {
		for _, s := range r.Steps {
			for _, b := range s.Brings {
				snaps = append(snaps, snap(r.Source, b))
			}
		}
		for _, v := range r.Older {
			snaps = append(snaps, snap(r.Source, v))
		}
	}
	return snaps
}
