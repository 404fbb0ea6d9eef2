package prune

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// mark finds out what else decides on the snapshots that the policy may let
// go, and asks about no others. It returns the chains that were noted by now.
func (o Options) mark(ctx context.Context, z *zfs.ZFS, groups []Group) (chains map[string][]Chain, err error) {
	for _, g := range groups {
		for i := range g.Snapshots {
			g.Snapshots[i].Base = slices.Contains(o.Bases[g.Dataset], g.GUIDs[i])
			g.Snapshots[i].Replicated = true
		}
	}
	if o.Chains != nil {
		if chains, err = o.Chains(); err == nil {
			err = spareChains(ctx, z, groups, chains)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot find out what is being sent: %w", err)
		}
	}
	if NeedsCursor(o.Policy) {
		if err := o.replicated(ctx, z, groups); err != nil {
			return nil, fmt.Errorf("cannot find out what is replicated: %w", err)
		}
	}
	if err := o.spareOpen(ctx, z, groups); err != nil {
		return nil, fmt.Errorf("cannot find out what is being sent: %w", err)
	}
	return chains, o.markUses(ctx, z, groups)
}

// markUses notes what keeps the snapshots that would go.
func (o Options) markUses(ctx context.Context, z *zfs.ZFS, groups []Group) error {
	var names []string
	o.candidates(groups, func(g Group, i int) { names = append(names, g.Dataset+"@"+g.Snapshots[i].Name) })
	found, err := Uses(ctx, z, names)
	if err != nil {
		return fmt.Errorf("cannot find out what is held: %w", err)
	}
	o.candidates(groups, func(g Group, i int) {
		s := &g.Snapshots[i]
		use, there := found[g.Dataset+"@"+s.Name]
		s.Held, s.Origin = use.Held, use.Cloned
		s.Protected = !there || use.GUID != g.GUIDs[i] // it is another one now
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
// that is known and a snapshot that is there. The oldest base counts: if the
// partner got a newer one from somebody else, it may lack what is between.
func (o Options) fromBase(g Group) bool {
	limit := o.base(g)
	if limit == 0 {
		return false
	}
	leftOut := o.Partners.leftOut(g)
	for i := range g.Snapshots {
		g.Snapshots[i].Replicated = g.Snapshots[i].CreateTXG <= limit || leftOut(i)
	}
	return true
}

// base is the createtxg of the oldest base of the one partner; 0: it is not
// known, or no snapshot that is there, or there are several partners.
func (o Options) base(g Group) (limit uint64) {
	if len(o.Partners.Tags) != 1 || o.Partners.Others {
		return 0
	}
	for _, s := range g.Snapshots {
		if s.Base && (limit == 0 || s.CreateTXG < limit) {
			limit = s.CreateTXG
		}
	}
	return limit
}
