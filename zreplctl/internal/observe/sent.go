package observe

import (
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
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
			l.sent(&f, ds, client, tags[client])
			if r, ok := rows[ds]; ok {
				l.apply(&f, r)
			}
			l.judgeEmpty(&f)
			l.found = append(l.found, f)
		}
	}
	l.findUnoffered(offered, tags)
	l.findMissing(offered, rows)
	l.findUncovered(offered)
	for _, r := range l.rows { // the receiver has it, and the last run found no source of it
		if r.Source == "" && !placeholder(r) {
			f := found{}
			l.apply(&f, l.unselected(r, l.copies[r.Target]))
			l.found = append(l.found, f)
		}
	}
}

// findUncovered finds what the job has covered and does not offer now, if no
// run has left how it is.
func (l *looked) findUncovered(offered map[string]bool) {
	if len(l.rows) > 0 {
		return
	}
	for _, target := range keys(l.copies) {
		if source := l.copies[target]; !offered[source] {
			f := gone("", source, l.whyUncovered(source))
			f.Target = target
			l.found = append(l.found, f)
		}
	}
}

// judgeEmpty says of a dataset that has no snapshot that the job sends whether it
// waits for one, or should have some.
func (l *looked) judgeEmpty(f *found) {
	f.Waits = l.host.datasets[f.Source].waits(l.job.Choice())
	f.Empty = f.newest == nil && !f.Waits
}

// last is the newest snapshot of a dataset that the job sends.
func (l *looked) last(ds string) *version {
	if newest := l.host.datasets[ds].newest(l.job.Choice(), 1); len(newest) > 0 {
		return &newest[0]
	}
	return nil
}

// cursor is the newest version of which it is proved that the other side has
// it: the receiver said so. Without its word it is the newest version that was
// protected, which is not proved: the end of a stream is held before it is sent,
// and a later run makes a bookmark of that hold.
func (l *looked) cursor(ds, client, tag string) (at *version, proved bool) {
	h := l.host.datasets[ds]
	if v, proved := l.noted(h, ds, client); proved {
		return v, true
	}
	for _, all := range [][]version{l.marks(ds, tag), l.host.bearing(ds, tag)} {
		if n := len(all); n > 0 && (at == nil || all[n-1].txg > at.txg) {
			at = &all[n-1]
		}
	}
	return at, false
}

// noted is the version that the receiver has by its own word, nil if it has
// none. Proved is false if nothing is noted, or if no version here has the guid.
func (l *looked) noted(h *history, ds, client string) (at *version, proved bool) {
	if g, ok := l.common[client][ds]; ok {
		if g == 0 {
			return nil, true
		}
		if v, ok := h.findAny(g); ok {
			return &v, true
		}
		return nil, false
	}
	if client != "" {
		return nil, false
	}
	for _, g := range l.bases.Source[ds] { // that a run of ours has seen on both sides
		if v, ok := h.findAny(g); ok && (at == nil || v.txg > at.txg) {
			at = &v
		}
	}
	return at, at != nil
}

// sent fills in what a receiver has of a dataset.
func (l *looked) sent(f *found, ds, client, tag string) {
	at, proved := l.cursor(ds, client, tag)
	f.common, f.Unproved = at, at != nil && !proved
	after := uint64(0) // nobody knows of a copy: it lacks everything
	if at != nil {
		after = at.txg
	}
	f.Behind = new(l.host.datasets[ds].after(after, l.job.Choice()))
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
			f := found{dataset: ds}
			l.sent(&f, ds, client, tags[client])
			f.Source, f.Client, f.Gone = ds, client, "it was sent once, and "+l.whyLeftOut(ds)
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
				l.found = append(l.found, gone(client, ds, "it was sent once, and "+l.whyLeftOut(ds)))
			case !l.host.hasPool(ds):
				f := gone(client, ds, "it was sent once, and its pool is not imported: "+importing(ds))
				f.Behind = nil
				l.found = append(l.found, f)
			default:
				l.found = append(l.found, gone(client, ds, "it was sent once, and does not exist now"))
			}
		}
	}
}

// whyLeftOut says what leaves out a dataset that is here.
func (l *looked) whyLeftOut(ds string) string {
	c, there := l.job.Choices[ds]
	if !there || !l.job.Allows(ds) {
		return "the job's rules leave it out now"
	}
	return clean.Line(fmt.Sprintf("select leaves it out now: property %s: %s", l.job.Select.Name, c.Why()), maxWhy)
}

// unselected is what the last run saw of a copy. It says that select leaves out
// its source if it does: a run only knows that something has.
func (l *looked) unselected(r progress.Dataset, source string) progress.Dataset {
	if plan.Reason(r.Reason) == plan.NotOffered && l.deselects(source) {
		r.Error = "the job received it once, and " + l.whyLeftOut(source)
	}
	return r
}

// whyUncovered says of a dataset that the job sent once why it does not now.
func (l *looked) whyUncovered(ds string) string {
	if l.deselects(ds) {
		return "it was covered once, and " + l.whyLeftOut(ds)
	}
	return "it was covered once, and is not now"
}

// deselects reports whether select alone leaves out a dataset that is here.
func (l *looked) deselects(ds string) bool {
	c, there := l.job.Choices[ds]
	return there && !c.Chosen && l.job.Allows(ds)
}

func gone(client, ds, why string) (f found) {
	f.Client, f.Source, f.Gone, f.Behind = client, ds, why, new(0)
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
				f.Missing = "its pool is not imported: " + importing(ds)
			}
			l.found = append(l.found, f)
		}
	}
	for _, ds := range keys(rows) {
		if r := rows[ds]; !offered[ds] {
			f := gone("", ds, l.whyUncovered(ds))
			l.apply(&f, r)
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
		f.Source, f.Behind = ds, new(0)
		f.Empty = f.common == nil
		l.found = append(l.found, f)
	}
	l.findMissing(offered, nil)
}
