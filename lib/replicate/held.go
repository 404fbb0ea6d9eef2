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

// findHeld looks up whether the bases are held, and what a partial receive is
// of. A thorough list has told already, of every snapshot.
func (j *Job) findHeld(ctx context.Context, v *view, results []plan.Result) error {
	if v.thorough {
		return nil
	}
	var here, there []transfer.Snap
	for _, p := range results {
		if part := v.targets[p.Target].Partial; part != nil {
			for _, of := range v.sources[p.Source].Versions {
				if of.Kind == dataset.Snapshot && of.GUID == part.To {
					here = append(here, snap(p.Source, of))
				}
			}
		}
		if p.Base == nil {
			continue
		}
		there = append(there, snap(p.Target, p.Base.Receiver))
		there = append(there, v.barring(p)...)
		if p.Base.Sender.Kind == dataset.Snapshot {
			here = append(here, snap(p.Source, p.Base.Sender))
		}
		if len(p.Older) > 0 {
			here = append(here, snap(p.Source, p.Older[0]))
		}
	}
	here = append(here, of(j.Unreleased.Sender, v.sources)...)
	there = append(there, of(j.Unreleased.Receiver, v.targets)...)
	there = append(there, j.doubtful(v, results)...)
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() { here, errs[0] = ask(ctx, j.Sender.Held, here) })
	wg.Go(func() { there, errs[1] = ask(ctx, j.Receiver.Held, there) })
	wg.Wait()
	for i, end := range []string{"sender", "receiver"} {
		if errs[i] != nil {
			return fmt.Errorf("cannot ask the %s what is held: %w", end, errs[i])
		}
	}
	note(v.sources, here)
	note(v.targets, there)
	return nil
}

func ask(ctx context.Context, held func(context.Context, []transfer.Snap) ([]transfer.Snap, error), snaps []transfer.Snap) ([]transfer.Snap, error) {
	if len(snaps) == 0 {
		return nil, nil
	}
	return held(ctx, snaps)
}

// note writes into datasets which of their snapshots are held.
func note(datasets map[string]transfer.Dataset, held []transfer.Snap) {
	for _, s := range held {
		d := datasets[s.Dataset]
		d.Held.Add(s.Name)
		datasets[s.Dataset] = d
	}
}

func holds(d transfer.Dataset, v dataset.Version) bool {
	return v.Kind == dataset.Snapshot && d.Held.Has(v.Name)
}

// marks reports whether a cursor bookmark of d keeps a version.
func marks(d transfer.Dataset, g dataset.GUID) bool {
	return slices.ContainsFunc(d.Versions, func(v dataset.Version) bool {
		return v.Kind == dataset.Bookmark && v.GUID == g && d.Marks.Has(v.Name)
	})
}

func snap(ds string, v dataset.Version) transfer.Snap {
	return transfer.Snap{Dataset: ds, Name: v.Name, GUID: v.GUID}
}
