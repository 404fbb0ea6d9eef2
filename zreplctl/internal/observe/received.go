package observe

import (
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
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
			l.apply(&f, row)
			f.Behind, f.BehindBytes = new(row.Behind), left(row)
		}
		if f.Source == "" && l.job.Root == "" {
			if from := l.job.Mapping.Sources(ds, 1); len(from) > 0 {
				f.Source = from[0]
			}
		}
		l.found = append(l.found, f)
	}
	l.findReleased(seen)
	if root := l.job.Root; root != "" && !l.host.hasPool(root) {
		f := found{}
		f.Target, f.Missing = root, "its pool is not imported: "+importing(root)
		l.found = append(l.found, f)
	}
	l.findLost(seen, rows)
}

// findReleased finds the copies of a sink whose client has released its hold:
// they are here, and are shown until a person forgets them. Of these it is not
// known which of their snapshots the client has, so the newest counts.
func (l *looked) findReleased(seen map[string]bool) {
	if l.job.Type != config.PushSink {
		return
	}
	for _, client := range l.job.Clients() {
		covered, _ := job.ReadCovered(l.dir, client)
		for _, ds := range covered {
			newest := l.host.datasets[ds].newest(plan.Choice{}, 1)
			if seen[ds] || len(newest) == 0 || !l.receives(ds) {
				continue
			}
			seen[ds] = true
			f := found{dataset: ds, common: &newest[0]}
			f.Target, f.Gone = ds, "it was received once, and the client has released its hold on it"
			l.found = append(l.found, f)
		}
	}
}

// placeholder reports whether a run has only made a dataset to carry others.
func placeholder(r progress.Dataset) bool {
	return r.Source == "" && r.To == "" && r.Goes == nil && (r.State == progress.Done || r.State == progress.UpToDate)
}

// received is the newest snapshot of a dataset of which it is proved that it
// came from the sender.
func (l *looked) received(ds string) *version {
	var at *version
	if held := l.host.bearing(ds, cursor.LastTag(l.job.Name)); len(held) > 0 {
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
		l.apply(&f, rows[ds])
		switch copied := rows[ds].To != "" || l.copies[ds] != ""; {
		case l.host.datasets[ds] != nil && (f.Gone != "" || copied && !l.receives(ds)):
			l.leave(&f, "it was received once, and the job's rules leave it out now")
		case copied || !l.host.hasPool(ds):
			f.Missing = l.lost(ds, copied)
		default:
			f.Behind = new(rows[ds].Behind)
		}
		l.found = append(l.found, f)
	}
	if len(rows) > 0 { // of a run that has looked at both sides
		return
	}
	for _, ds := range slices.Concat(keys(l.bases.Target), keys(l.copies)) {
		if !seen[ds] {
			seen[ds] = true
			f := found{}
			f.Source = l.copies[ds]
			f.Target = ds
			switch {
			case l.host.datasets[ds] == nil:
				f.Missing = l.lost(ds, true)
			case !l.receives(ds):
				l.leave(&f, "it was received once, and the job's rules leave it out now")
			default:
				f.Gone = "it was received once, and the job's hold on it is gone"
			}
			l.found = append(l.found, f)
		}
	}
}

// leave makes f a copy that is here and gets nothing new. It is as old as what
// came from the sender or, if that is not known, as its newest snapshot.
func (l *looked) leave(f *found, why string) {
	f.dataset, f.common = f.Target, l.received(f.Target)
	if newest := l.host.datasets[f.Target].newest(plan.Choice{}, 1); f.common == nil && len(newest) > 0 {
		f.common = &newest[0]
	}
	if f.Gone == "" {
		f.Gone = why
	}
}

// lost says why a copy is not there, and what to type if its pool is not.
func (l *looked) lost(ds string, copied bool) string {
	switch {
	case !l.host.hasPool(ds) && copied:
		return "there was a copy, and its pool is not imported: " + importing(ds)
	case !l.host.hasPool(ds):
		return "the target's pool is not imported: " + importing(ds)
	}
	if before := l.host.asideOf(ds); before != "" {
		return fmt.Sprintf("the copy was set aside as %q, and the new one is not there yet", before)
	}
	return "there was a copy, and it does not exist now"
}

// importing is the command that brings back the pool of a dataset.
func importing(ds string) string { return "zpool import " + dataset.Pool(ds) }

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
			f.Behind = new(source.after(f.common.txg, l.job.Choice()))
		} else if l.host.hasPool(target) {
			f.Behind = new(source.after(0, l.job.Choice()))
		}
		r, seen := rows[target]
		if seen {
			l.apply(&f, r)
		}
		if copied := r.To != "" || l.copies[target] != ""; !l.host.hasPool(target) || seen && f.common == nil && copied && l.host.datasets[target] == nil {
			f.Missing = l.lost(target, copied)
		}
		l.judgeEmpty(&f)
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
			if from := l.job.AsWritten().Mapping.Sources(ds, 1); len(from) > 0 && l.host.datasets[from[0]] != nil {
				f.Source, f.Gone = from[0], "it was received once, and "+l.whyLeftOut(from[0])
			}
			if r, ok := rows[ds]; ok {
				l.apply(&f, l.unselected(r, f.Source))
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
