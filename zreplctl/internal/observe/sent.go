package observe

import (
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

// findSent finds what those to whom the job sends have, by their cursors.
func (l *looked) findSent() {
	rows := l.rowsBy(func(r progress.Dataset) string { return r.Source })
	offered := map[string]bool{}
	tags := l.tags()
	for _, ds := range l.offered() {
		offered[ds] = true
		for _, client := range keys(tags) {
			f := found{dataset: ds}
			f.Source, f.Client = ds, client
			f.newest = l.last(ds)
			if f.common = l.cursor(ds, tags[client]); f.common != nil {
				f.Behind = l.host.datasets[ds].after(f.common.txg, l.job.SnapshotPrefix)
			}
			if r, ok := rows[ds]; ok {
				f.apply(r, l.now)
			}
			f.Empty = f.newest == nil
			l.found = append(l.found, f)
		}
	}
	l.findUnoffered(offered, tags)
	l.findMissing(offered, rows)
}

// last is the newest snapshot of a dataset that the job sends.
func (l *looked) last(ds string) *version {
	if newest := l.host.datasets[ds].newest(l.job.SnapshotPrefix, 1); len(newest) > 0 {
		return &newest[0]
	}
	return nil
}

// cursor is the newest version of which it is proved that the other side has
// it. The end of a stream is held before it is sent: of several holds only the
// oldest is proved, and where the cursor is a bookmark, no hold is if there is
// one.
func (l *looked) cursor(ds, tag string) *version {
	marks, holds := l.marks(ds, tag), l.host.bearing(ds, tag)
	var at *version
	if len(marks) > 0 {
		at = &marks[len(marks)-1]
	}
	for _, g := range l.bases.Source[ds] { // that a run of ours has seen on both sides
		if v, ok := l.host.datasets[ds].find(g); ok && (at == nil || v.txg > at.txg) {
			at = &v
		}
	}
	switch {
	case len(holds) == 0, at != nil && l.job.Cursor == config.CursorBookmark:
		return at
	case at == nil || holds[0].txg > at.txg:
		return &holds[0]
	}
	return at
}

// findUnoffered finds the datasets here that were sent once, and that the rules
// leave out now.
func (l *looked) findUnoffered(offered map[string]bool, tags map[string]string) {
	for _, ds := range keys(l.host.datasets) {
		if offered[ds] {
			continue
		}
		for _, client := range keys(tags) {
			marks := l.marks(ds, tags[client])
			holds := l.host.bearing(ds, tags[client])
			if len(marks)+len(holds) == 0 {
				continue
			}
			f := found{dataset: ds, common: l.cursor(ds, tags[client])}
			f.Source, f.Client, f.Gone = ds, client, "it was sent once, and the job's rules leave it out now"
			l.found = append(l.found, f)
			offered[client+"\t"+ds] = true
		}
	}
	for _, client := range l.job.Clients() {
		covered, _ := job.ReadCovered(l.dir, client)
		for _, ds := range covered {
			switch _, here := l.host.datasets[ds]; {
			case offered[ds], offered[client+"\t"+ds]:
			case here:
				l.found = append(l.found, gone(client, ds, "it was sent once, and the job's rules leave it out now"))
			case !l.host.hasPool(ds):
				l.found = append(l.found, gone(client, ds, "it was sent once, and its pool is not imported"))
			default:
				l.found = append(l.found, gone(client, ds, "it was sent once, and does not exist now"))
			}
		}
	}
}

func gone(client, ds, why string) (f found) {
	f.Client, f.Source, f.Gone = client, ds, why
	return f
}

// findMissing finds the datasets that the rules name and that are not here,
// and what the last run saw and this host has no more.
func (l *looked) findMissing(offered map[string]bool, rows map[string]progress.Dataset) {
	for _, rules := range l.sending() {
		for _, ds := range rules.Named() {
			if _, here := l.host.datasets[ds]; here || offered[ds] {
				continue
			}
			offered[ds] = true
			f := found{}
			f.Source, f.Missing = ds, "it does not exist"
			if !l.host.hasPool(ds) {
				f.Missing = "its pool is not imported"
			}
			l.found = append(l.found, f)
		}
	}
	for _, ds := range keys(rows) {
		if r := rows[ds]; !offered[ds] {
			f := gone("", ds, "it was covered once, and is not now")
			f.apply(r, l.now)
			l.found = append(l.found, f)
		}
	}
}

// findPools finds the datasets that a job only prunes and whose pool is not
// here. Those that were destroyed need no pruning.
func (l *looked) findPools() {
	l.findMissing(map[string]bool{}, nil)
	l.found = slices.DeleteFunc(l.found, func(f found) bool { return l.host.hasPool(f.Source) })
}

// findTaken finds how old the snapshots of a job are that only takes them.
func (l *looked) findTaken() {
	offered := map[string]bool{}
	for _, ds := range l.offered() {
		offered[ds] = true
		f := found{dataset: ds, common: l.last(ds)}
		f.Source = ds
		f.Empty = f.common == nil
		l.found = append(l.found, f)
	}
	l.findMissing(offered, nil)
}
