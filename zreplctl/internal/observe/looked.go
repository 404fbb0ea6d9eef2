package observe

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/pause"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// maxWhy is how much of an error is kept, in bytes.
const maxWhy = 500

// looked is a job while it is looked at.
type looked struct {
	job    *config.Job
	now    time.Time
	dir    state.Dir
	host   *host
	facts  health.Facts
	bases  job.Bases
	common map[string]map[string]dataset.GUID // by client: what it has; see state.Common
	rows   []progress.Dataset                 // what the last run saw
	copies map[string]string                  // targets that the job has ever received, with their sources
	found  []found
	// unchosen: it is not known what its select chooses, so that nothing was
	// found of it.
	unchosen bool
	// verified is what comparing copies with their sources has found, by target.
	verified map[string]state.Verification
	bySource map[string]state.Verification // see verifiedOf
	lostNote string                        // where a damaged note of that is; see state.Verified
}

// found is a copy, and where its snapshots are here.
type found struct {
	health.Copy
	dataset        string // on this host
	common, newest *version
	lacking        []version // that the copy lacks, if they are asked about
}

// noneChosen makes it a problem of the job that its select chooses nothing.
func (l *looked) noneChosen() {
	if err := choose.None(l.job); err != nil {
		l.facts.Problem = joined(l.facts.Problem, clean.Line(err.Error(), maxWhy))
	}
}

// sending are the rules for the datasets here that the job takes snapshots of
// or sends.
func (l *looked) sending() []*mapfilter.Rules {
	switch l.job.Type {
	case config.Source, config.Push, config.Autosnap, config.Prune:
		return []*mapfilter.Rules{l.job.Datasets}
	case config.Local:
		return []*mapfilter.Rules{l.job.Mapping}
	}
	return nil
}

// read reads what the last runs have left. If that cannot be read, the job is
// not known to be well: the runs may have seen what ZFS does not say.
func (l *looked) read(rundir string) {
	f := &l.facts
	record, err := job.ReadRecord(l.dir, l.job.Name)
	switch {
	case err == nil && record.Type == string(l.job.Type):
		l.rows = record.Datasets
		f.Attempt, f.OK, f.Stopped, f.Error = record.Ended.Time, record.OK, record.Stopped, record.Error
		f.NoLink = !record.OK && record.Status == cli.TryLater
		if record.Success != nil {
			f.Success, f.Alone = record.Success.Time, record.Alone
		}
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	var failed [3]error
	var serr error
	f.Seeding, serr = job.Seeding(l.dir, l.job.Name)
	err = cmp.Or(err, serr)
	f.Paused, f.Until, failed[2] = pause.Look(l.dir, l.job.Name, l.now)
	l.bases, failed[0] = job.ReadBases(l.dir, l.job.Name)
	owes := hook.Owes(l.dir, l.job.Name)
	f.Begun, f.Running, failed[1] = job.Begun(l.dir, rundir, l.job.Name)
	f.Owes = owes && hook.Owes(l.dir, l.job.Name) // a run that was on has not ended meanwhile
	err = cmp.Or(err, failed[0], failed[1], failed[2])
	if l.job.Replicates() {
		var cerr error
		l.copies, _, cerr = job.ReadCopies(l.dir, l.job)
		err = cmp.Or(err, cerr)
		l.verified, cerr = l.dir.Verified(l.job.Name).Read()
		l.lostNote = l.dir.Verified(l.job.Name).Lost()
		err = cmp.Or(err, cerr)
	}
	l.common = map[string]map[string]dataset.GUID{}
	for client, tag := range l.receivers() {
		var cerr error
		l.common[client], cerr = l.dir.Common(tag).Read()
		err = cmp.Or(err, cerr)
	}
	for _, id := range l.job.Clients() {
		s, serr := job.ReadSession(l.dir, id)
		if !s.Ended.IsZero() {
			f.Sessions = append(f.Sessions, health.Session{Client: id, Ended: s.Ended.Time, Streams: s.Streams, Error: s.Error})
		}
		err = cmp.Or(err, serr)
	}
	if err != nil {
		f.Problem = clean.Line("cannot read what the runs have left: "+err.Error(), maxWhy)
	}
}

// offered are the datasets here that the job sends, in order.
func (l *looked) offered() (names []string) {
	for _, rules := range l.sending() {
		for ds := range l.host.datasets {
			if rules.Pass(ds) && l.host.asideAbove(ds) == "" {
				names = append(names, ds)
			}
		}
	}
	slices.Sort(names)
	return names
}

// targets are the datasets here that the job receives into, in order.
func (l *looked) targets() (names []string) {
	for ds := range l.host.datasets {
		if l.receives(ds) && l.host.asideAbove(ds) == "" {
			names = append(names, ds)
		}
	}
	slices.Sort(names)
	return names
}

func (l *looked) receives(ds string) bool {
	switch {
	case !l.job.Receives():
		return false
	case l.job.Root != "":
		return ds != l.job.Root && dataset.Within(ds, l.job.Root)
	}
	return len(l.job.AsWritten().Mapping.Sources(ds, 1)) > 0 // also of what select does not choose now
}

// tags are those of the cursors of whom the job sends to, by client.
func (l *looked) tags() map[string]string {
	tags := map[string]string{}
	for _, id := range l.job.IDs() {
		client := ""
		if l.job.Serve != nil {
			client = id
		}
		tags[client] = cursor.Tag(string(l.job.Type), id)
	}
	return tags
}

// receivers are those to whom the job sends and who tell what they have.
func (l *looked) receivers() map[string]string {
	if l.job.Type == config.Source || l.job.Type == config.Push {
		return l.tags()
	}
	return nil
}

// wants are the holds that tell what the other side has.
func (l *looked) wants() (all []wanted) {
	for ds, of := range l.host.datasets {
		all = append(all, l.wantsOf(ds, of)...)
	}
	if l.job.Type == config.Source || l.job.Type == config.Push {
		all = append(all, l.leftOut()...)
	}
	return all
}

// wantsOf are those of one dataset that the rules pass.
func (l *looked) wantsOf(ds string, of *history) (all []wanted) {
	switch l.job.Type {
	case config.Source, config.Push:
		if l.job.Datasets.Pass(ds) {
			for client, tag := range l.tags() {
				if _, proved := l.noted(of, ds, client); !proved {
					all = append(all, wanted{dataset: ds, tag: tag, chosen: l.job.Choice()})
				}
			}
		}
	case config.Pull, config.PushSink, config.Local:
		if _, once := l.copies[ds]; once || l.receives(ds) {
			all = append(all, wanted{dataset: ds, tag: cursor.LastTag(l.job.Name), guess: l.bases.Target[ds]})
		}
	}
	return all
}

// surely are the versions of one dataset whose creation is asked for.
func (l *looked) surely(ds string, of *history) (names []string) {
	if l.receivers() == nil || !l.job.Datasets.Pass(ds) {
		return nil
	}
	for client := range l.tags() {
		if v, _ := l.noted(of, ds, client); v != nil {
			names = append(names, of.full(ds, *v))
		}
	}
	for _, v := range of.newest(l.job.Choice(), 1) {
		names = append(names, of.full(ds, v))
	}
	return names
}

// leftOut are the datasets that may have been sent once, and that the rules
// leave out. Where it is not known which were, each is looked at.
func (l *looked) leftOut() (all []wanted) {
	for client, tag := range l.tags() {
		names, known := job.ReadCovered(l.dir, client)
		if client == "" {
			names, known = nil, len(l.rows) > 0
		}
		if !known {
			names = keys(l.host.datasets)
		}
		for _, ds := range names {
			if l.host.datasets[ds] != nil && !l.job.Datasets.Pass(ds) {
				all = append(all, wanted{dataset: ds, tag: tag, chosen: l.job.Choice()})
			}
		}
	}
	return all
}

// marks are the cursor bookmarks of a tag, the oldest first.
func (l *looked) marks(ds, tag string) (out []version) {
	h := l.host.datasets[ds]
	for _, v := range h.all {
		if v.is(dataset.Bookmark) && h.name(v) == cursor.Bookmark(tag, dataset.GUID(v.guid)) {
			out = append(out, v)
		}
	}
	return out
}

// find finds the copies.
func (l *looked) find() {
	switch l.job.Type {
	case config.Source, config.Push:
		l.findSent()
	case config.Pull, config.PushSink:
		l.findReceived()
	case config.Local:
		l.findLocal()
	case config.Autosnap:
		l.findTaken()
	case config.Prune:
		l.findPools()
	}
	l.facts.Copies = l.facts.Copies || l.job.Type == config.Autosnap
}

// rowOf is what the last run saw of a dataset.
func (l *looked) rowsBy(name func(progress.Dataset) string) map[string]progress.Dataset {
	rows := map[string]progress.Dataset{}
	for _, r := range l.rows {
		if n := name(r); n != "" {
			rows[n] = r
		}
	}
	return rows
}

// apply adds to a copy what the last run saw of it.
func (l *looked) apply(f *found, r progress.Dataset) {
	now := l.now
	if f.Source == "" {
		f.Source = r.Source
	}
	if f.Target == "" {
		f.Target = r.Target
	}
	f.Earlier = r.Seen != nil
	if r.Since != nil {
		f.New = r.Since.Time
	}
	if r.Anew != nil {
		f.Anew, f.Aside = r.Anew.Time, r.Aside
	}
	switch reason := plan.Reason(r.Reason); {
	case reason == plan.NotOffered, reason == plan.SourceEmpty:
		f.Gone = because(r, now)
	case reason == plan.Vanished && r.Goes != nil:
		f.Goes, f.Gone = r.Goes.Time, health.GoesOn(r.Goes.Time)
	case reason == plan.NoPool && l.job.Receives() && l.host.hasPool(r.Target): // it was imported since
	case r.State == progress.Failed, r.State == progress.Interrupted:
		f.Failed = because(r, now)
	case reason == plan.NoneChosen:
		f.Waits = true
	}
}

// because says why a dataset is as it is.
func because(r progress.Dataset, now time.Time) string {
	why := r.Reason + r.Error
	if r.Reason != "" && r.Error != "" {
		why = r.Reason + ": " + r.Error
	}
	if r.Seen != nil {
		why = "seen " + health.Since(r.Seen.Time, now) + ", not since: " + why
	}
	return clean.Line(why, maxWhy)
}

// undated are the versions whose creation is asked for.
func (l *looked) undated() (names []string) {
	for _, f := range l.found {
		for _, v := range f.versions() {
			names = append(names, l.host.datasets[f.dataset].full(f.dataset, v))
		}
	}
	return names
}

// versions are those that matter, of which some may be the same.
func (f *found) versions() []version {
	all := f.lacking
	for _, v := range []*version{f.common, f.newest} {
		if v != nil {
			all = append(slices.Clip(all), *v)
		}
	}
	return all
}

// date fills in the snapshots, whose guids are looked at once more.
func (l *looked) date() {
	for _, f := range l.found {
		l.measure(&f)
		f.Common, f.Newest = l.snapshot(f.dataset, f.common), l.snapshot(f.dataset, f.newest)
		l.compared(&f)
		l.facts.Datasets = append(l.facts.Datasets, f.Copy)
	}
}

func (l *looked) snapshot(ds string, v *version) *health.Snapshot {
	if v == nil {
		return nil
	}
	h := l.host.datasets[ds]
	s := &health.Snapshot{Name: h.name(*v), GUID: dataset.GUID(v.guid)}
	if m, ok := l.host.made[h.full(ds, *v)]; ok && m.guid == s.GUID {
		s.Created, s.Held = time.Unix(m.at, 0), l.host.since[h.full(ds, *v)]
	}
	return s
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
