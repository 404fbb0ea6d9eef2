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
	// Bases returns what the job's replications go on from, by dataset, on the
	// side that sends and on the one that receives; looked says that both sides
	// have been looked at, in this run or in an earlier one. Before that
	// nothing is pruned on a side that sends. May be nil.
	Bases func() (source, target map[string][]dataset.GUID, looked bool)
	// Looked notes for later runs that the partner has been looked at. May be
	// nil.
	Looked func() error
	// State is what the names of the files begin with that keep what one run
	// has found for the next; empty: nothing is kept.
	State string
	// Judged is told the verdict on each snapshot that prune looks at. May be
	// nil.
	Judged func(snapshot string, v retention.Verdict)
}

// side is a set of datasets on this host with its policy.
type side struct {
	name     string // source or target
	roots    []string
	all      bool // every dataset there is
	passes   func(string) bool
	policy   *retention.Policy
	partners prune.Partners // to whom the job sends from there
	named    bool           // the roots should exist: they do not come from elsewhere
}

// listed are the roots of a list of the side; none: everything there is.
func (s side) listed() []string {
	if s.all {
		return nil
	}
	return s.roots
}

// sends reports whether replication sends from there.
func (s side) sends() bool { return len(s.partners.Tags) > 0 }

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
		sides = append(sides, side{name: "source", roots: roots, all: all, passes: from.Pass, policy: policy, partners: partners(j), named: true})
	}
	switch {
	case j.Type == config.Local:
		sides = append(sides, target(j.Mapping, j.PruneRHS))
	case j.Type == config.PushSink && j.Mapping == nil:
		below := func(ds string) bool { return ds != j.Root && dataset.Within(ds, j.Root) }
		sides = append(sides, side{name: "target", roots: []string{j.Root}, passes: below, policy: j.Prune, partners: anyPartner})
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
	return side{name: "target", roots: m.Targets(), passes: passes, policy: policy, partners: anyPartner}
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
