package observe

import (
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// findReceived finds the copies here by the holds on what was received last.
func (l *looked) findReceived() {
	rows := l.rowsBy(func(r progress.Dataset) string { return r.Target })
	seen := map[string]bool{}
	for _, ds := range l.targets() {
		common := l.received(ds)
		row, known := rows[ds]
		if common == nil && (!known || placeholder(row)) {
			continue // or somebody else's
		}
		seen[ds] = true
		f := found{dataset: ds, common: common}
		f.Target = ds
		if known {
			f.apply(row, l.now)
			f.Behind = row.Behind
		}
		if f.Source == "" && l.job.Root == "" {
			if from := l.job.Mapping.Sources(ds, 1); len(from) > 0 {
				f.Source = from[0]
			}
		}
		l.found = append(l.found, f)
	}
	l.findLost(seen, rows)
}

// placeholder reports whether a run has only made a dataset to carry others.
func placeholder(r progress.Dataset) bool {
	return r.Source == "" && r.To == "" && (r.State == progress.Done || r.State == progress.UpToDate)
}

// received is the newest snapshot of a dataset of which it is proved that it
// came from the sender.
func (l *looked) received(ds string) *version {
	var at *version
	if held := l.host.bearing(ds, endpoint.LastTag(l.job.Name)); len(held) > 0 {
		at = &held[len(held)-1]
	}
	for _, g := range l.bases.Target[ds] {
		if v, ok := l.host.datasets[ds].find(g); ok && (at == nil || v.txg > at.txg) {
			at = &v
		}
	}
	return at
}

// findLost finds copies that were here once, and datasets that never came.
func (l *looked) findLost(seen map[string]bool, rows map[string]progress.Dataset) {
	for _, ds := range keys(rows) {
		if seen[ds] || placeholder(rows[ds]) {
			continue
		}
		seen[ds] = true
		f := found{}
		f.Target = ds
		f.apply(rows[ds], l.now)
		if rows[ds].To != "" {
			f.Missing = l.lost(ds)
		}
		l.found = append(l.found, f)
	}
	for _, ds := range keys(l.bases.Target) {
		if !seen[ds] && len(rows) == 0 {
			f := found{}
			f.Target, f.Missing = ds, l.lost(ds)
			l.found = append(l.found, f)
		}
	}
}

func (l *looked) lost(ds string) string {
	if !l.host.hasPool(ds) {
		return "there was a copy, and its pool is not imported"
	}
	return "there was a copy, and it does not exist now"
}

// findLocal compares both sides, which are here.
func (l *looked) findLocal() {
	rows := l.rowsBy(func(r progress.Dataset) string { return r.Target })
	seen, offered := map[string]bool{}, map[string]bool{}
	for _, ds := range l.offered() {
		offered[ds] = true
		target, _ := l.job.Mapping.Map(ds)
		seen[target] = true
		f := found{dataset: ds, newest: l.last(ds)}
		f.Source, f.Target = ds, target
		source := l.host.datasets[ds]
		if f.common = common(source, l.host.datasets[target]); f.common != nil {
			f.Behind = source.after(f.common.txg, l.job.SnapshotPrefix)
		}
		if r, ok := rows[target]; ok {
			f.apply(r, l.now)
			if f.common == nil && r.To != "" && l.host.datasets[target] == nil {
				f.Missing = l.lost(target)
			}
		}
		f.Empty = f.newest == nil
		l.found = append(l.found, f)
	}
	for _, ds := range l.targets() {
		if seen[ds] {
			continue
		}
		if at := l.received(ds); at != nil {
			seen[ds] = true
			f := found{dataset: ds, common: at}
			f.Target, f.Gone = ds, "it was received once, and its source is not there now"
			if r, ok := rows[ds]; ok {
				f.apply(r, l.now)
			}
			l.found = append(l.found, f)
		}
	}
	l.findMissing(offered, nil)
	l.findLost(seen, rows)
}

// common is the newest version of the source whose guid the target has as a
// snapshot.
func common(source, target *history) *version {
	if source == nil || target == nil {
		return nil
	}
	there := make(map[uint64]bool, len(target.all))
	for _, v := range target.all {
		if v.is(dataset.Snapshot) {
			there[v.guid] = true
		}
	}
	for i := len(source.all) - 1; i >= 0; i-- {
		if there[source.all[i].guid] {
			return &source.all[i]
		}
	}
	return nil
}
