// Package prune lists the snapshots of datasets, has a policy judge them, and
// destroys those that it lets go.
//
// It promises that nothing is destroyed before everything was read and
// judged, and that what ZFS will not let go is told and left, while the rest
// goes on. What may go is package retention's decision alone.
package prune

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Options of Run.
type Options struct {
	Roots     []string // datasets; none: everything there is
	Recursive bool     // and those below
	Passes    func(ds string) bool
	Policy    *retention.Policy
	Prefix    string
	Partners  Partners                                       // those whom not_replicated waits for
	Unsent    map[string]bool                                // datasets of which the partner has nothing yet, whatever is held
	Protect   func(ds, short string, guid dataset.GUID) bool // must stay; may be nil
	Max       int                                            // destroy no more than so many; 0: no limit
	DryRun    bool                                           // Gone is called, and nothing is destroyed
	Now       time.Time                                      // for the check of the newest's creation
	Events    Events
}

// Result counts the snapshots that Run has looked at.
type Result struct {
	Missing   []string // roots that do not exist
	Stay      int      // by the policy
	Destroyed int
	Left      int // ZFS would not let them go
}

// Victims are the snapshots of a dataset that are to go, the oldest first.
type Victims struct {
	Dataset string
	Shorts  []string
}

// Run prunes datasets: one zfs list, and one zfs destroy for each dataset and
// batch. What could not be destroyed is told by Events.Left and in the
// result, a dataset that is not to be judged by Events.Left with the name of
// the dataset; err is for what ends the work. Roots that do not exist have
// nothing to prune.
func Run(ctx context.Context, z *zfs.ZFS, o Options) (Result, error) {
	var r Result
	groups, err := Groups(ctx, z, o.Roots, o.Recursive)
	missing, only := zfs.Missing(err)
	if err != nil && !only {
		return r, fmt.Errorf("cannot list snapshots: %w", err)
	}
	if r.Missing = missing; len(missing) > 0 {
		o.Roots = slices.DeleteFunc(slices.Clone(o.Roots), func(root string) bool { return slices.Contains(missing, root) })
	}
	if o.Passes != nil {
		groups = slices.DeleteFunc(groups, func(g Group) bool { return !o.Passes(g.Dataset) })
	}
	if NeedsCursor(o.Policy) && len(groups) > 0 {
		if err := MarkReplicated(ctx, z, o.Roots, o.Recursive, groups, o.Partners); err != nil {
			return r, fmt.Errorf("cannot find out what is replicated: %w", err)
		}
		o.unsent(groups)
	}
	all, total := o.decide(groups, &r)
	if o.Max > 0 && total > o.Max {
		return r, TooMany(total, o.Max)
	}
	for _, v := range all {
		gone, left, err := o.destroy(ctx, z, v)
		r.Destroyed += gone
		r.Left += left
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// unsent takes back what MarkReplicated made of the hold on a first stream
// that has not arrived.
func (o Options) unsent(groups []Group) {
	for _, g := range groups {
		if o.Unsent[g.Dataset] {
			for i := range g.Snapshots {
				g.Snapshots[i].Replicated = false
			}
		}
	}
}

func (o Options) decide(groups []Group, r *Result) (all []Victims, total int) {
	for _, g := range groups {
		for i, guid := range g.GUIDs {
			s := &g.Snapshots[i]
			s.Protected = o.Protect != nil && o.Protect(g.Dataset, s.Name, guid)
		}
		verdicts := o.Policy.Apply(g.Snapshots, retention.Options{Prefix: o.Prefix, Arrival: true})
		v := Victims{g.Dataset, Oldest(g.Snapshots, verdicts)}
		r.Stay += len(g.Snapshots) - len(v.Shorts)
		if err := CheckClock(g.Snapshots, o.Prefix, o.Now); err != nil && len(v.Shorts) > 0 {
			r.Left += len(v.Shorts)
			if o.Events.Left != nil {
				o.Events.Left(g.Dataset, err)
			}
			continue
		}
		if len(v.Shorts) > 0 {
			all = append(all, v)
			total += len(v.Shorts)
		}
	}
	return all, total
}

func (o Options) destroy(ctx context.Context, z *zfs.ZFS, v Victims) (gone, left int, err error) {
	if !o.DryRun {
		return Destroy(ctx, z, v.Dataset, v.Shorts, o.Events)
	}
	for _, short := range v.Shorts {
		if o.Events.Gone != nil {
			if err := o.Events.Gone(v.Dataset + "@" + short); err != nil {
				return 0, 0, err
			}
		}
	}
	return 0, 0, nil
}

// NeedsCursor reports whether a policy asks what has been replicated.
func NeedsCursor(p *retention.Policy) bool {
	return slices.ContainsFunc(p.Rules(), func(r retention.Rule) bool { return r == retention.NotReplicated() })
}

// TooMany is the refusal to destroy n snapshots where limit are allowed.
func TooMany(n, limit int) error {
	return fmt.Errorf("%d snapshots would go, more than the limit of %d: nothing is destroyed", n, limit)
}

// Oldest returns the names of the snapshots that go, the oldest first.
func Oldest(snaps []retention.Snapshot, verdicts []retention.Verdict) []string {
	var order []int
	for i, v := range verdicts {
		if v.Destroy {
			order = append(order, i)
		}
	}
	older := func(a, b int) int { return retention.Compare(&snaps[a], &snaps[b]) }
	if !slices.IsSortedFunc(order, older) {
		slices.SortFunc(order, older)
	}
	names := make([]string, len(order))
	for i, at := range order {
		names[i] = snaps[at].Name
	}
	return names
}

// maxAhead is how far a snapshot's creation may lie ahead of the clock.
const maxAhead = 24 * time.Hour

// CheckClock reports a newest matching snapshot that was created more than a
// day ahead of now. The grid is anchored there, so that a single snapshot
// taken under a wrong clock would let all others go. A zero now is no check.
func CheckClock(snaps []retention.Snapshot, prefix string, now time.Time) error {
	newest := retention.Newest(snaps, prefix)
	if newest == nil || now.IsZero() || newest.Creation <= now.Add(maxAhead).Unix() {
		return nil
	}
	return fmt.Errorf("the newest snapshot %q was created in the future, at %s: nothing is destroyed",
		newest.Name, time.Unix(newest.Creation, 0).UTC().Format(time.RFC3339))
}
