// Package upkeep takes and prunes the snapshots of a job: all that a job does
// besides replication.
//
// It promises to touch only datasets that the job's rules pass or map to, and
// only snapshots with the job's prefix. It prints nothing, and takes no locks.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/snap"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// Upkeep is what a job does to the snapshots on this host.
type Upkeep struct {
	ZFS    *zfs.ZFS
	Job    *config.Job
	DryRun bool
	// Created and Destroyed are told each snapshot. An error of theirs is
	// returned when all is done.
	Created, Destroyed func(name string) error
	Warn               func(text string)
	// Unsent returns the datasets that are known to have nothing in common
	// with the partner that the job sends to; may be nil.
	Unsent func() map[string]bool
}

// side is a set of datasets on this host with its policy.
type side struct {
	roots    []string
	all      bool // every dataset there is
	passes   func(string) bool
	policy   *retention.Policy
	partners prune.Partners // to whom the job sends from there
	named    bool           // the roots should exist: they do not come from elsewhere
}

// sides returns the sides on which the job prunes: what it sends from and
// what it receives into.
func (u *Upkeep) sides() []side {
	j := u.Job
	var sides []side
	if from := u.source(); from != nil {
		policy := j.Prune
		if j.Type == config.Local {
			policy = j.PruneLHS
		}
		roots, all := from.Roots()
		sides = append(sides, side{roots: roots, all: all, passes: from.Pass, policy: policy, partners: partners(j), named: true})
	}
	switch {
	case j.Type == config.Local:
		sides = append(sides, target(j.Mapping, j.PruneRHS))
	case j.Type == config.PushSink && j.Mapping == nil:
		below := func(ds string) bool { return ds != j.Root && dataset.Within(ds, j.Root) }
		sides = append(sides, side{roots: []string{j.Root}, passes: below, policy: j.Prune, partners: anyPartner})
	case j.Type == config.Pull, j.Type == config.PushSink:
		sides = append(sides, target(j.Mapping, j.Prune))
	}
	return sides
}

// anyPartner is whoever has a cursor: a job may send on what another receives.
var anyPartner = prune.Partners{Others: true}

// partners are those for whom not_replicated keeps a job's snapshots. A job
// that sends to nobody, or shares its snapshots with other jobs, waits for the
// others' partners, too.
func partners(j *config.Job) (p prune.Partners) {
	p.Others = !j.Sends() || j.SharedPrefix
	if j.Sends() {
		for _, id := range j.IDs() {
			p.Tags = append(p.Tags, endpoint.CursorTag(string(j.Type), id))
		}
	}
	return p
}

func target(m *mapfilter.Rules, policy *retention.Policy) side {
	passes := func(ds string) bool { return len(m.Sources(ds, 1)) > 0 }
	return side{roots: m.Targets(), passes: passes, policy: policy, partners: anyPartner}
}

// source is the rules for the datasets that get snapshots here, nil for jobs
// that take none.
func (u *Upkeep) source() *mapfilter.Rules {
	switch u.Job.Type {
	case config.Pull, config.PushSink:
		return nil
	case config.Local:
		return u.Job.Mapping
	}
	return u.Job.Datasets
}

// Snapshot takes a snapshot of every dataset that the job's rules pass.
func (u *Upkeep) Snapshot(ctx context.Context) error {
	rules := u.source()
	if rules == nil {
		return nil
	}
	roots, all := rules.Roots()
	if all {
		var err error
		if roots, err = u.pools(ctx); err != nil {
			return err
		}
	}
	var errs []error
	_, err := snap.Take(ctx, u.ZFS, roots, snap.Options{
		Prefix: u.Job.SnapshotPrefix, Recursive: true, Passes: rules.Pass, DryRun: u.DryRun,
		Created: u.Created,
		Failed: func(object string, err error) {
			errs = append(errs, fmt.Errorf("cannot snapshot %q: %w", object, err))
		},
		Warn: func(format string, a ...any) { u.warn(fmt.Sprintf(format, a...)) },
	})
	return errors.Join(append(errs, err)...)
}

// pools lists the root datasets.
func (u *Upkeep) pools(ctx context.Context) (names []string, err error) {
	o := zfs.ListOptions{Types: []string{"filesystem"}}
	err = u.ZFS.List(ctx, o, func(fields []string) error {
		if dataset.Parent(fields[0]) == "" {
			names = append(names, fields[0])
		}
		return nil
	})
	return names, err
}

func (u *Upkeep) warn(text string) {
	if u.Warn != nil {
		u.Warn(text)
	}
}

// Prune destroys what the job's policies let go, on each of its sides on this
// host. Held snapshots, and so the cursors of replication, stay.
func (u *Upkeep) Prune(ctx context.Context) error {
	var errs []error
	for _, s := range u.sides() {
		if s.policy == nil || !s.all && len(s.roots) == 0 || ctx.Err() != nil {
			continue
		}
		errs = append(errs, u.prune(ctx, s))
	}
	return errors.Join(append(errs, ctx.Err())...)
}

func (u *Upkeep) prune(ctx context.Context, s side) error {
	var errs []error
	var broken error // who is told has gone: that is no reason to stop
	o := prune.Options{
		Roots: s.roots, Recursive: true, Passes: s.passes,
		Policy: s.policy, Prefix: u.Job.SnapshotPrefix, Partners: s.partners, DryRun: u.DryRun, Now: time.Now(),
		Events: prune.Events{
			Gone: func(name string) error {
				if u.Destroyed != nil && broken == nil {
					broken = u.Destroyed(name)
				}
				return nil
			},
			Left: func(name string, err error) { errs = append(errs, fmt.Errorf("cannot destroy %q: %w", name, err)) },
		},
	}
	if s.all {
		o.Roots = nil
	}
	if len(s.partners.Tags) > 0 && u.Unsent != nil {
		o.Unsent = u.Unsent()
	}
	result, err := prune.Run(ctx, u.ZFS, o)
	for _, root := range result.Missing {
		if s.named {
			u.warn(fmt.Sprintf("there is no dataset %q, which the job's rules name: nothing to prune there", root))
		}
	}
	return errors.Join(append(errs, err, broken)...)
}
