// Package prune lists the snapshots of datasets, has a policy judge them, and
// destroys those that the policy does not keep.
//
// It promises to destroy nothing before it has read and judged everything. If
// ZFS refuses to destroy a snapshot, it reports that one and destroys the
// others. Package retention alone decides what to keep.
package prune

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	Partners  Partners        // those whom not_replicated waits for
	Unsent    map[string]bool // datasets of which the partner has nothing yet, whatever is held
	// Bases are what the next replications start from, by dataset: they are kept, whatever
	// the policy says.
	Bases map[string][]dataset.GUID
	// Chains returns the streams of several snapshots that began, by dataset, whether
	// or not they are still under way. It is called when all is listed, and
	// again before the snapshots of each dataset are destroyed. May be nil.
	Chains func() (map[string][]Chain, error)
	// HasArrived reports whether a receiver is known to have a version, by the
	// tag of its cursor: nothing is under way to it then. Nil: nothing is known.
	HasArrived func(tag, ds string, guid dataset.GUID) bool

	Max    int       // destroy no more than so many; 0: no limit
	DryRun bool      // Gone is called, and nothing is destroyed
	Now    time.Time // what was created later is from the future; zero: nothing is
	// Known returns a snapshot's creation if an earlier run has seen it. Nil:
	// none has, and all are listed with it.
	Known func(guid dataset.GUID, createtxg uint64) (creation int64, ok bool)
	// Listed gets all snapshots before the first is judged; it
	// must not keep them. May be nil. An error of it ends the work.
	Listed func([]Group) error
	// Arrived returns the largest createtxg of a pool that is known to have
	// been there so many seconds ago; see retention.Options.
	Arrived func(pool string, age int64) uint64
	// Allow is asked before the first snapshot is destroyed, where one is to
	// be. An error of it ends the work. May be nil.
	Allow func(ctx context.Context, victims int) error
	// Judged gets the verdict on each snapshot, dataset by dataset. May be
	// nil.
	Judged func(snapshot string, v retention.Verdict)
	Events Events

	spaces Spaces
}

// Result counts the snapshots that Run has looked at.
type Result struct {
	Missing   []string // roots that do not exist
	Stay      int      // by the policy
	Destroyed int
	Left      int // ZFS would not let them go
	// SpaceUnknown names the pools in which the policy destroyed nothing because
	// ZFS did not say how much is free.
	SpaceUnknown error
}

// Victims are the snapshots of a dataset that are to go, the oldest first.
type Victims struct {
	Dataset string
	Shorts  []string
}

// Run prunes datasets: one zfs list of all snapshots, of the fast kind where
// their creations are known, one more for creations that are not, one for what
// may go, and one zfs destroy for each dataset and batch. What could not be destroyed is told by
// Events.Left and in the result; err is for what ends the work. Roots that do
// not exist have nothing to prune.
func Run(ctx context.Context, z *zfs.ZFS, o Options) (Result, error) {
	var r Result
	groups, err := o.list(ctx, z, &r)
	if err != nil {
		return r, err
	}
	var datasets []string
	for _, g := range groups {
		datasets = append(datasets, g.Dataset)
	}
	o.spaces, r.SpaceUnknown = LookUpSpaces(ctx, z, o.Policy, datasets)
	err = o.execute(ctx, z, groups, &r)
	return r, err
}

// execute judges what was listed, and destroys.
func (o Options) execute(ctx context.Context, z *zfs.ZFS, groups []Group, r *Result) error {
	chains, err := o.mark(ctx, z, groups)
	if err != nil {
		return err
	}
	all, total := o.decide(groups, r)
	if o.Max > 0 && total > o.Max {
		return TooMany(total, o.Max)
	}
	if o.Allow != nil && total > 0 {
		if err := o.Allow(ctx, total); err != nil {
			return err
		}
	}
	for _, v := range all {
		now, err := o.begunSince(ctx, z, v, chains)
		if err != nil {
			return fmt.Errorf("cannot find out what is being sent: %w", err)
		}
		r.Stay += len(v.Shorts) - len(now.Shorts)
		gone, left, err := o.destroy(ctx, z, now)
		r.Destroyed += gone
		r.Left += left
		if err != nil {
			return err
		}
	}
	return nil
}

// list lists what there is, with creations, and returns what is to be judged.
func (o Options) list(ctx context.Context, z *zfs.ZFS, r *Result) ([]Group, error) {
	all, err := groups(ctx, z, o.Roots, o.Recursive, o.Known == nil)
	missing, only := zfs.Missing(err)
	if err != nil && !only {
		return nil, fmt.Errorf("cannot list snapshots: %w", err)
	}
	if r.Missing = missing; len(missing) > 0 {
		o.Roots = slices.DeleteFunc(slices.Clone(o.Roots), func(root string) bool { return slices.Contains(missing, root) })
	}
	if len(all) > 0 && o.Known != nil {
		if err := o.dates(ctx, z, all); err != nil {
			return nil, fmt.Errorf("cannot list snapshots: %w", err)
		}
	}
	if o.Listed != nil {
		if err := o.Listed(all); err != nil {
			return nil, err
		}
	}
	if o.Passes != nil {
		all = slices.DeleteFunc(all, func(g Group) bool { return !o.Passes(g.Dataset) })
	}
	return all, nil
}

func (o Options) apply(g Group) []retention.Verdict {
	ro := retention.Options{Prefix: o.Prefix, Arrival: true, Space: o.spaces.Of(g.Dataset)}
	if !o.Now.IsZero() {
		ro.Now = o.Now.Unix()
	}
	if o.Arrived != nil {
		pool, _, _ := strings.Cut(g.Dataset, "/")
		ro.Arrived = func(age int64) uint64 { return o.Arrived(pool, age) }
	}
	return o.Policy.Apply(g.Snapshots, ro)
}

func (o Options) decide(groups []Group, r *Result) (all []Victims, total int) {
	for _, g := range groups {
		verdicts := o.apply(g)
		v := Victims{g.Dataset, Oldest(g.Snapshots, verdicts)}
		r.Stay += len(g.Snapshots) - len(v.Shorts)
		o.tell(g, verdicts)
		if len(v.Shorts) > 0 {
			all = append(all, v)
			total += len(v.Shorts)
		}
	}
	return all, total
}

// tell reports what was decided, and warns of snapshots from the future.
func (o Options) tell(g Group, verdicts []retention.Verdict) {
	if o.Judged != nil {
		for i, v := range verdicts {
			o.Judged(g.Dataset+"@"+g.Snapshots[i].Name, v)
		}
	}
	if text := Ahead(g.Dataset, g.Snapshots, o.Prefix, o.Now); text != "" && o.Events.Warn != nil {
		o.Events.Warn(text)
	}
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

// TooMany is the refusal to destroy n snapshots where limit are allowed.
func TooMany(n, limit int) error {
	return fmt.Errorf("%d snapshots would be destroyed, more than the limit of %d: nothing is destroyed", n, limit)
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

// clockSlack is how far the clocks of two hosts may differ without a warning.
const clockSlack = time.Minute

// Ahead is a warning of the snapshots of a dataset that were created later
// than now; empty: there are none. A zero now is not known.
func Ahead(ds string, snaps []retention.Snapshot, prefix string, now time.Time) string {
	if now.IsZero() {
		return ""
	}
	n, furthest := retention.Future(snaps, prefix, now.Add(clockSlack).Unix())
	if n == 0 {
		return ""
	}
	name, at := ds+"@"+furthest.Name, time.Unix(min(furthest.Creation, zfs.LastSecond), 0).UTC().Format(time.RFC3339)
	if n == 1 {
		return fmt.Sprintf("snapshot %q was created in the future, at %s: grids and calendars ignore it until then", name, at)
	}
	return fmt.Sprintf("%d snapshots of %q were created in the future, the last %q at %s: grids and calendars ignore them until then", n, ds, name, at)
}
