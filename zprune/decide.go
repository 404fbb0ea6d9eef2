package main

import (
	"context"

	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// mark finds out what else decides on snapshots.
func (p *pruner) mark(ctx context.Context, args []string, all []*group) error {
	if !prune.NeedsCursor(p.policy) {
		return p.markUsed(ctx, all)
	}
	groups := make([]prune.Group, len(all))
	for i, g := range all {
		groups[i] = prune.Group{Dataset: g.dataset, Snapshots: g.snaps, GUIDs: g.guids}
	}
	return prune.MarkReplicated(ctx, p.zfs, args, p.recursive, groups, prune.Partners{Others: true})
}

// markUsed asks about the snapshots that the policy does not keep, by name.
func (p *pruner) markUsed(ctx context.Context, all []*group) error {
	candidates := func(each func(g *group, i int)) {
		for _, g := range all {
			verdicts, _ := p.apply(g)
			for i, v := range verdicts {
				if v.Destroy {
					each(g, i)
				}
			}
		}
	}
	var names []string
	candidates(func(g *group, i int) { names = append(names, g.dataset+"@"+g.snaps[i].Name) })
	if len(names) == 0 {
		return nil
	}
	found, err := prune.Uses(ctx, p.zfs, names)
	if err != nil {
		return err
	}
	candidates(func(g *group, i int) {
		s := &g.snaps[i]
		use, there := found[g.dataset+"@"+s.Name]
		s.Held, s.Origin = use.Held, use.Cloned
		s.Protected = s.Protected || !there || use.GUID != g.guids[i] // it is another one now
	})
	return nil
}

// apply returns the policy's verdicts on one dataset's snapshots.
func (p *pruner) apply(g *group) ([]retention.Verdict, retention.Options) {
	for i := range g.snaps {
		s := &g.snaps[i]
		s.Protected = s.Protected || len(p.protect.names) > 0 && p.protect.names[g.dataset+"@"+s.Name] || p.protect.guids[g.guids[i]]
	}
	o := retention.Options{Prefix: p.prefix, Anchor: p.now.at, Arrival: p.listed, Space: p.spaces.Of(g.dataset)}
	if o.Anchor == nil {
		o.Now = p.began.Unix()
	}
	return p.policy.Apply(g.snaps, o), o
}

// decide says of one dataset's snapshots what becomes of each.
func (p *pruner) decide(g *group) error {
	verdicts, o := p.apply(g)
	if o.Anchor == nil {
		if text := prune.Ahead(g.dataset, g.snaps, p.prefix, p.began); text != "" {
			p.errs.Say("zprune", "warning: "+text)
		}
	}
	if p.destroy {
		p.remember(g, verdicts)
	}
	switch {
	case p.explain:
		return p.out.explanation(g, verdicts)
	case p.timeline:
		_, err := p.out.WriteString(p.policy.Timeline(g.dataset, g.snaps, verdicts, o))
		return err
	case p.destroy:
		return nil
	}
	return p.out.victims(g, verdicts)
}
