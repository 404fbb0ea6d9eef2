// Package upkeep takes and prunes the snapshots of a job: everything that a
// job does besides replication.
//
// It promises to touch only datasets that the job's rules allow or map to, and
// only snapshots with the job's prefix. It prints nothing, and takes no locks.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/snap"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
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
	// Hooks run around the snapshots that are taken; nil: none.
	Hooks *hook.Hooks
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
	// HasArrived reports whether the receiver whose cursor has a tag is known to
	// have a version; may be nil.
	HasArrived func(tag, ds string, guid dataset.GUID) bool
	// Reading returns the snapshots that this host's own verify reads; may be nil.
	Reading func() map[string]bool
	// State keeps what one run has found for the next; its zero value keeps
	// nothing.
	State state.Dir
	// Judged is told the verdict on each snapshot that prune looks at. May be
	// nil.
	Judged func(snapshot string, v retention.Verdict)
}

// side is one of the job's, with its partners.
type side struct {
	config.Side
	partners prune.Partners // to whom the job sends from there
}

// listed are the roots of a list of the side; none: everything there is.
func (s side) listed() []string {
	if s.All {
		return nil
	}
	return s.Roots
}

// sends reports whether replication sends from there.
func (s side) sends() bool { return len(s.partners.Tags) > 0 }

// sides returns the sides of the job, each with those for whom not_replicated
// keeps snapshots there.
func (u *Upkeep) sides() (sides []side) {
	for _, s := range u.Job.Sides() {
		of := anyPartner
		if s.Name == config.SourceSide {
			of = partners(u.Job)
		}
		sides = append(sides, side{s, of})
	}
	return sides
}

// anyPartner is whoever has a cursor: a job may send on what another receives.
var anyPartner = prune.Partners{Others: true}

// partners are those for whom not_replicated keeps a job's snapshots. A job
// that sends to nobody, or shares its snapshots with other jobs, waits for the
// others' partners, too.
func partners(j *config.Job) (p prune.Partners) {
	p.Others, p.Bookmarks = !j.Sends() || j.SharedPrefix, j.Cursor == config.CursorBookmark
	if j.Sends() {
		for _, id := range j.IDs() {
			p.Tags = append(p.Tags, cursor.Tag(string(j.Type), id))
		}
		if j.SnapshotRules != nil {
			p.Sends, p.Newest = j.Choice().Has, j.Choice().NewestOnly()
		}
	}
	return p
}

// Snapshot takes a snapshot of every dataset that the job's rules pass.
func (u *Upkeep) Snapshot(ctx context.Context) error {
	o := snap.Options{DryRun: u.DryRun, Created: u.Created}
	if u.Hooks != nil && !u.Hooks.None() {
		h := *u.Hooks
		h.DryRun = u.DryRun
		o.Around = h.Around
	}
	return u.take(ctx, o)
}

// Due lists the datasets of which Snapshot would take one.
func (u *Upkeep) Due(ctx context.Context) (due []string, err error) {
	note := func(snapshot string) error {
		ds, _, _ := strings.Cut(snapshot, "@")
		due = append(due, ds)
		return nil
	}
	err = u.take(ctx, snap.Options{DryRun: true, Created: note})
	return due, err
}

// Gone returns those of datasets that do not exist, though their pools are there.
func (u *Upkeep) Gone(ctx context.Context, datasets []string) (gone []string, err error) {
	pools, err := u.pools(ctx)
	if err != nil {
		return nil, err
	}
	for _, ds := range datasets {
		if !slices.Contains(pools, dataset.Pool(ds)) {
			continue
		}
		err := u.ZFS.List(ctx, zfs.ListOptions{Roots: []string{ds}}, func([]string) error { return nil })
		switch {
		case zfs.NotExist(err):
			gone = append(gone, ds)
		case err != nil:
			return gone, err
		}
	}
	return gone, nil
}

// take takes snapshots by the job's rules, and as o says.
func (u *Upkeep) take(ctx context.Context, o snap.Options) error {
	u, err := u.chosen(ctx)
	if err != nil {
		return err
	}
	sides := u.Job.Sides()
	if len(sides) == 0 || !sides[0].Takes {
		return nil
	}
	source := sides[0]
	roots := source.Roots
	if source.All {
		var err error
		if roots, err = u.pools(ctx); err != nil {
			return err
		}
	}
	var errs []error
	failed := map[string]error{}
	var order []string
	o.Prefix, o.Recursive, o.Passes = u.Job.SnapshotPrefix, true, u.notAside(ctx, source.Region.Has)
	o.Failed = func(object string, err error) {
		failed[object], order = err, append(order, object)
	}
	o.Warn = func(format string, a ...any) { u.warn(fmt.Sprintf(format, a...)) }
	_, err = snap.Take(ctx, u.ZFS, roots, o)
	for _, object := range order {
		cause := failed[object]
		if why := u.exported(ctx, object); why != "" {
			cause = errors.New(why)
		}
		errs = append(errs, fmt.Errorf("cannot snapshot %q: %w", object, cause))
	}
	if errs = append(errs, err); errors.Join(errs...) == nil {
		return choose.None(u.Job)
	}
	return errors.Join(errs...)
}

// chosen is the upkeep of those datasets alone that the job's select chooses
// now.
func (u *Upkeep) chosen(ctx context.Context) (*Upkeep, error) {
	j, err := choose.Look(ctx, u.ZFS, u.Job)
	if err != nil || j == u.Job {
		return u, err
	}
	narrow := *u
	narrow.Job = j
	return &narrow, nil
}

// exported says that a dataset's pool is not here, and what to type; "": it is,
// or that is not known.
func (u *Upkeep) exported(ctx context.Context, name string) string {
	pool := dataset.Pool(name)
	pools, err := u.pools(ctx)
	if err != nil || slices.Contains(pools, pool) {
		return ""
	}
	return fmt.Sprintf("pool %q does not exist here, or is not imported: zpool import %s", pool, pool)
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
