package prune

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// mark finds out what else decides on the snapshots that the policy may let
// go, and asks about no others.
func (o Options) mark(ctx context.Context, z *zfs.ZFS, groups []Group) error {
	for _, g := range groups {
		for i := range g.Snapshots {
			g.Snapshots[i].Base = slices.Contains(o.Bases[g.Dataset], g.GUIDs[i])
			g.Snapshots[i].Replicated = true
		}
	}
	if err := o.spareChains(ctx, z, groups); err != nil {
		return fmt.Errorf("cannot find out what is being sent: %w", err)
	}
	if NeedsCursor(o.Policy) {
		if err := o.replicated(ctx, z, groups); err != nil {
			return fmt.Errorf("cannot find out what is replicated: %w", err)
		}
	}
	var names []string
	o.candidates(groups, func(g Group, i int) { names = append(names, g.Dataset+"@"+g.Snapshots[i].Name) })
	found, err := uses(ctx, z, names)
	if err != nil {
		return fmt.Errorf("cannot find out what is held: %w", err)
	}
	o.candidates(groups, func(g Group, i int) {
		s := &g.Snapshots[i]
		use, there := found[g.Dataset+"@"+s.Name]
		s.Held, s.Origin = use.held, use.cloned
		s.Protected = !there || use.guid != g.GUIDs[i] // it is another one now
	})
	return nil
}

// candidates calls each with the snapshots that the policy does not keep.
func (o Options) candidates(groups []Group, each func(g Group, i int)) {
	for _, g := range groups {
		for i, v := range o.apply(g) {
			if v.Destroy {
				each(g, i)
			}
		}
	}
}

// replicated marks what the partners have, in datasets from which anything
// would go.
func (o Options) replicated(ctx context.Context, z *zfs.ZFS, groups []Group) error {
	var some []Group
	last := ""
	o.candidates(groups, func(g Group, _ int) {
		if g.Dataset != last && !o.fromBase(g) {
			some = append(some, g)
		}
		last = g.Dataset
	})
	var names []string
	for _, g := range some {
		names = append(names, g.Dataset)
	}
	for len(some) > 0 {
		n := zfs.FitArgs(names)
		if err := markHeld(ctx, z, names[:n], some[:n]); err != nil {
			return err
		}
		if err := MarkReplicated(ctx, z, names[:n], false, some[:n], o.Partners); err != nil {
			return err
		}
		names, some = names[n:], some[n:]
	}
	for _, g := range groups { // the hold on a first stream that has not arrived says nothing
		if o.Unsent[g.Dataset] {
			for i := range g.Snapshots {
				g.Snapshots[i].Replicated = false
			}
		}
	}
	return nil
}

// fromBase marks what the one partner has by the base of the replication, where
// that is known and a snapshot that is there.
func (o Options) fromBase(g Group) bool {
	limit := uint64(0)
	for i := range g.Snapshots {
		if g.Snapshots[i].Base {
			limit = max(limit, g.Snapshots[i].CreateTXG)
		}
	}
	if one := len(o.Partners.Tags) == 1 && !o.Partners.Others; !one || limit == 0 {
		return false
	}
	for i := range g.Snapshots {
		g.Snapshots[i].Replicated = g.Snapshots[i].CreateTXG <= limit
	}
	return true
}
