package observe

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// maxWhy is how much of an error is kept, in bytes.
const maxWhy = 500

// looked is a job while it is looked at.
type looked struct {
	job   *config.Job
	now   time.Time
	dir   state.Dir
	host  *host
	facts health.Facts
	bases job.Bases
	began map[string]int64   // the last connection of each client
	rows  []progress.Dataset // what the last run saw
	found []found
}

// found is a copy, and where its snapshots are here.
type found struct {
	health.Copy
	dataset        string // on this host
	common, newest *version
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
		if record.Success != nil {
			f.Success = record.Success.Time
		}
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	var failed [2]error
	l.bases, failed[0] = job.ReadBases(l.dir, l.job.Name)
	f.Begun, f.Running, failed[1] = job.Begun(l.dir, rundir, l.job.Name)
	err = cmp.Or(err, failed[0], failed[1])
	l.began = map[string]int64{}
	for _, id := range l.job.Clients() {
		s, serr := job.ReadSession(l.dir, id)
		if !s.Ended.IsZero() {
			l.began[id] = s.Started.Unix()
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
			if rules.Pass(ds) {
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
		if l.receives(ds) {
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
	return len(l.job.Mapping.Sources(ds, 1)) > 0
}

// tags are those of the cursors of whom the job sends to, by client.
func (l *looked) tags() map[string]string {
	tags := map[string]string{}
	for _, id := range l.job.IDs() {
		client := ""
		if l.job.Serve != nil {
			client = id
		}
		tags[client] = endpoint.CursorTag(string(l.job.Type), id)
	}
	return tags
}

// wants are the holds that tell what the other side has.
func (l *looked) wants() (all []wanted) {
	for ds := range l.host.datasets {
		all = append(all, l.wantsOf(ds)...)
	}
	if l.job.Cursor == config.CursorBookmark { // where there is one, no hold says more
		all = slices.DeleteFunc(all, func(w wanted) bool { return len(l.marks(w.dataset, w.tag)) > 0 })
	}
	if l.job.Type == config.Source || l.job.Type == config.Push {
		all = append(all, l.leftOut()...)
	}
	return all
}

// wantsOf are those of one dataset that the rules pass.
func (l *looked) wantsOf(ds string) (all []wanted) {
	switch l.job.Type {
	case config.Source, config.Push:
		if l.job.Datasets.Pass(ds) {
			for client, tag := range l.tags() {
				all = append(all, wanted{ds, tag, l.job.SnapshotPrefix, l.bases.Source[ds], true, l.doubts(client), l.began[client]})
			}
		}
	case config.Pull, config.PushSink, config.Local:
		if l.receives(ds) {
			all = append(all, wanted{dataset: ds, tag: endpoint.LastTag(l.job.Name), guess: l.bases.Target[ds]})
		}
	}
	return all
}

// doubts reports whether the last connection of a client, or our last run,
// failed, is under way or is not known: it may have left the hold on what it
// did not send to the end.
func (l *looked) doubts(client string) bool {
	if l.job.Serve == nil {
		return !l.facts.OK || !l.facts.Begun.IsZero()
	}
	return !slices.ContainsFunc(l.facts.Sessions, func(s health.Session) bool { return s.Client == client && s.Error == "" })
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
				all = append(all, wanted{dataset: ds, tag: tag, prefix: l.job.SnapshotPrefix})
			}
		}
	}
	return all
}

// marks are the cursor bookmarks of a tag, the oldest first.
func (l *looked) marks(ds, tag string) (out []version) {
	h := l.host.datasets[ds]
	for _, v := range h.all {
		if v.is(dataset.Bookmark) && h.name(v) == endpoint.CursorBookmark(tag, dataset.GUID(v.guid)) {
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
func (f *found) apply(r progress.Dataset, now time.Time) {
	if f.Source == "" {
		f.Source = r.Source
	}
	if f.Target == "" {
		f.Target = r.Target
	}
	switch reason := plan.Reason(r.Reason); {
	case reason == plan.NotOffered, reason == plan.SourceEmpty:
		f.Gone = because(r, now)
	case r.State == progress.Failed, r.State == progress.Interrupted:
		f.Failed = because(r, now)
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
		for _, v := range []*version{f.common, f.newest} {
			if v != nil {
				names = append(names, l.host.datasets[f.dataset].full(f.dataset, *v))
			}
		}
	}
	return names
}

// date fills in the snapshots, whose guids are looked at once more.
func (l *looked) date() {
	for _, f := range l.found {
		f.Common, f.Newest = l.snapshot(f.dataset, f.common), l.snapshot(f.dataset, f.newest)
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
		s.Created = time.Unix(m.at, 0)
	}
	return s
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
