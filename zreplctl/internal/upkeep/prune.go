package upkeep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Prune destroys what the job's policies let go, on each of its sides on this
// host. Held snapshots, and so the cursors of replication, stay.
func (u *Upkeep) Prune(ctx context.Context) error {
	u, err := u.chosen(ctx)
	if err != nil {
		return err
	}
	var errs []error
	if !u.Job.Replicates() && !u.Job.Snapshots() { // or that part says so
		errs = append(errs, choose.None(u.Job))
	}
	for _, s := range u.sides() {
		if s.Policy == nil || !s.All && len(s.Roots) == 0 || ctx.Err() != nil {
			continue
		}
		errs = append(errs, u.prune(ctx, s))
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// errNotLooked ends the pruning of a side that sends before anything is
// destroyed: what its partner has is not known.
var errNotLooked = errors.New("the partner was not looked at")

func (u *Upkeep) prune(ctx context.Context, s side) error {
	var errs []error
	var broken error // who is told has gone: that is no reason to stop
	var held []string
	passes, err := u.notMoved(ctx, s, u.notAside(ctx, s.Region.Has))
	if err != nil {
		return err
	}
	o := prune.Options{
		Roots: s.listed(), Recursive: true, Passes: passes,
		Policy: s.Policy, Prefix: u.Job.SnapshotPrefix, Partners: s.partners, DryRun: u.DryRun, Now: time.Now(),
		Judged: func(name string, v retention.Verdict) {
			if v.Spared && v.Rule == "held" {
				held = append(held, name)
			}
			if u.Judged != nil {
				u.Judged(name, v)
			}
		},
		Events: prune.Events{
			Gone: func(name string) error {
				if u.Destroyed != nil && broken == nil {
					broken = u.Destroyed(name)
				}
				return nil
			},
			Left: func(name string, err error) { errs = append(errs, fmt.Errorf("cannot destroy %q: %w", name, err)) },
			Kept: func(name, why string) { u.warn(fmt.Sprintf("kept %q: %s", name, keptBecause[why])) },
			Warn: u.warn, Reading: u.Reading,
		},
	}
	if err := u.protect(ctx, &o, s); err != nil {
		return err
	}
	if err := u.remember(&o, s); err != nil {
		return err
	}
	result, err := prune.Run(ctx, u.ZFS, o)
	if errors.Is(err, errNotLooked) {
		err = nil // it was told
	}
	for _, root := range result.Missing {
		if s.Name == config.SourceSide {
			why := cmp.Or(u.exported(ctx, root), "it does not exist")
			u.warn(fmt.Sprintf("the job's rules name dataset %q, and there is nothing to prune: %s", root, why))
		}
	}
	errs = append(errs, err, result.SpaceUnknown, u.old(ctx, held), u.trim(ctx, held))
	return errors.Join(append(errs, broken)...)
}

var keptBecause = map[string]string{
	"held":  "somebody has put a hold on it meanwhile",
	"clone": "it has been cloned meanwhile",

	prune.KeptVerify: "zreplctl verify reads it; the next run after that destroys it",
}

// notAside leaves out what was set aside: a person decides on that. So it does if
// that cannot be found out.
func (u *Upkeep) notAside(ctx context.Context, has func(string) bool) func(string) bool {
	return func(name string) bool {
		if !has(name) || len(dataset.AsideAbove(name)) == 0 {
			return has(name)
		}
		all, err := endpoint.Asides(ctx, u.ZFS, []string{name})
		return err == nil && len(all) == 0
	}
}

// notMoved leaves out what was set aside and has another name by now.
func (u *Upkeep) notMoved(ctx context.Context, s side, has func(string) bool) (func(string) bool, error) {
	if s.Name != config.TargetSide || len(u.Job.Recv.Asides) == 0 || len(s.listed()) == 0 {
		return has, nil
	}
	moved, err := endpoint.AsidesMoved(ctx, u.ZFS, cursor.LastTag(u.Job.Name), s.listed())
	if err != nil {
		return nil, fmt.Errorf("cannot find out what was set aside and renamed: %w", err)
	}
	return func(name string) bool {
		return has(name) && !slices.ContainsFunc(moved, func(top string) bool { return dataset.Within(name, top) })
	}, nil
}

// protect keeps what replication needs.
func (u *Upkeep) protect(ctx context.Context, o *prune.Options, s side) (err error) {
	if s.sends() && u.Unsent != nil {
		o.Unsent = u.Unsent()
	}
	// Another job may send on what this one receives, or prune for it.
	o.Chains, o.HasArrived = u.chains, u.HasArrived
	if u.Bases == nil {
		return nil
	}
	source, target, looked := u.Bases()
	o.Bases = target
	if s.Name == config.SourceSide {
		o.Bases = source
	}
	if s.sends() && !looked {
		o.Allow = func(ctx context.Context, victims int) error { return u.allow(ctx, s, victims) }
	}
	if u.Job.Cursor == config.CursorBookmark && s.sends() {
		o.Bases, err = u.withoutBookmarks(ctx, s, o.Bases)
	}
	return err
}

// chains reads which streams of several snapshots have begun.
func (u *Upkeep) chains() (map[string][]prune.Chain, error) {
	all := map[string][]prune.Chain{}
	err := u.State.Chains(func(c state.Chain) {
		all[c.Dataset] = append(all[c.Dataset], prune.Chain{From: c.From, To: c.To})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read what was being sent: %w", err)
	}
	return all, nil
}

// withoutBookmarks returns the bases that no bookmark keeps. The job prefers
// bookmarks, so that a base need not take space for as long as the receiver is
// away. A dataset has several bases only in conflict: it keeps them all until
// a person has decided.
func (u *Upkeep) withoutBookmarks(ctx context.Context, s side, bases map[string][]dataset.GUID) (map[string][]dataset.GUID, error) {
	if len(bases) == 0 {
		return bases, nil
	}
	left := maps.Clone(bases)
	list := zfs.ListOptions{Types: []string{"bookmark"}, Columns: []string{"name", "guid"}, Roots: s.listed(), Recursive: true}
	err := u.ZFS.List(ctx, list, func(fields []string) error {
		ds, _, _ := dataset.Split(fields[0])
		guid, err := dataset.ParseGUID(fields[1])
		if slices.Equal(left[ds], []dataset.GUID{guid}) {
			left[ds] = nil
		}
		return err
	})
	if err := zfs.Present(err); err != nil {
		return nil, fmt.Errorf("cannot list bookmarks: %w", err)
	}
	return left, nil
}

// allow lets a side that sends be pruned only if each of its partners has a
// cursor there: an earlier run has looked at both.
func (u *Upkeep) allow(ctx context.Context, s side, victims int) error {
	never, err := endpoint.WithoutCursor(ctx, u.ZFS, s.listed(), s.Region.Has, s.partners.Tags)
	switch {
	case err != nil:
		return fmt.Errorf("cannot find out whether the partner has been looked at: %w", err)
	case len(never) == 0 && !u.DryRun && u.Looked != nil:
		return u.Looked()
	case len(never) == 0:
		return nil
	}
	who := "the receiver has never been looked at"
	if u.Job.Type == config.Source {
		who = fmt.Sprintf("client %q has never fetched anything", client(u.Job, never[0]))
	}
	u.warn(fmt.Sprintf("%s: nothing is pruned until then, and %d snapshots are kept that the policy would destroy", who, victims))
	return errNotLooked
}

// remember has the run use what earlier runs have found, and note what it
// finds.
func (u *Upkeep) remember(o *prune.Options, s side) error {
	var when *arrivals
	if age := s.Policy.LongestArrived(); age > 0 {
		var err error
		if when, err = u.arrivals(s, age, o.Now.Unix()); err != nil {
			return err
		}
		o.Arrived = when.before
	}
	var dates *creations
	if !u.State.IsNone() {
		if dates = readCreations(u.State, u.file("creations", s)); dates != nil {
			o.Known = dates.get
		}
	}
	o.Listed = func(groups []prune.Group) error {
		if when != nil {
			when.see(groups, time.Now().Unix())
		}
		if u.DryRun || u.State.IsNone() {
			return nil
		}
		if dates.stale() {
			// Without it the next run only takes longer.
			if err := writeCreations(u.State, u.file("creations", s), groups); err != nil {
				u.warn(fmt.Sprintf("cannot keep the creation times of snapshots: %v", err))
			}
		}
		if when == nil {
			return nil
		}
		return when.write(u.State, u.file("arrivals", s))
	}
	return nil
}

// file is the name of a file of state.
func (u *Upkeep) file(what string, s side) string { return u.Job.Name + "." + what + "." + s.Name }

func (u *Upkeep) arrivals(s side, age, now int64) (*arrivals, error) {
	if u.State.IsNone() {
		return &arrivals{pools: map[string][]note{}, age: age, now: now}, nil
	}
	return readArrivals(u.State, u.file("arrivals", s), age, now)
}
