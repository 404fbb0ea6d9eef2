package replicate

import (
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// zfs promote moves the older snapshots of a dataset, with their holds, to the
// clone. A second zfs promote moves them back. So a target that has lost its
// base this way can continue, if nobody releases what it could continue from. A
// source that was renamed and made anew looks the same from here.

// findAwaited returns the guids of what targets in conflict have beyond their
// base. A hold on such a snapshot stays, whatever dataset it is of by now.
func (r *round) findAwaited() map[dataset.GUID]bool {
	awaited := map[dataset.GUID]bool{}
	for _, p := range r.results {
		if p.Source == "" || p.Conflict == nil || !p.Conflict.Reason.Failure() {
			continue
		}
		for _, v := range r.view.beyondBase(p) {
			awaited[v.GUID] = true
		}
	}
	return awaited
}

// spare leaves out of h the release of what is awaited.
func (r *round) spare(h transfer.Holds) transfer.Holds {
	if len(r.awaited) > 0 {
		h.Release = slices.DeleteFunc(h.Release, func(s transfer.Snap) bool { return r.awaited[s.GUID] })
	}
	return h
}

// beyondBase are the target's snapshots that are newer than the base, or all of
// them if there is none, the newest first.
func (v *view) beyondBase(p plan.Result) (out []dataset.Version) {
	for _, s := range slices.Backward(v.targets[p.Target].Versions) {
		if p.Base != nil && s.GUID == p.Base.Receiver.GUID {
			break
		}
		if s.Kind == dataset.Snapshot {
			out = append(out, s)
		}
	}
	return out
}

// lostBase are the reasons of which a base that moved may be the cause.
var lostBase = []plan.Reason{plan.Unrelated, plan.Diverged, plan.SourceEmpty}

// findPromoted says of targets that lost their base where it is now, if the
// sender offers that.
func (v *view) findPromoted(results []plan.Result) {
	var at map[dataset.GUID]transfer.Snap
	for i := range results {
		p := &results[i]
		if p.Source == "" || p.Conflict == nil || !slices.Contains(lostBase, p.Conflict.Reason) {
			continue
		}
		for _, s := range v.beyondBase(*p) {
			if at == nil {
				at = v.offered()
			}
			if now, ok := at[s.GUID]; ok && now.Dataset != p.Source {
				p.Promoted(s, now.Full())
				break
			}
		}
	}
}

// findSuccessors says of copies whose source is gone what that may be now.
func (v *view) findSuccessors(results []plan.Result) {
	var at map[dataset.GUID]transfer.Snap
	for i := range results {
		p := &results[i]
		if p.Source != "" || p.Conflict == nil || p.Conflict.Reason != plan.NotOffered {
			continue
		}
		for _, s := range slices.Backward(v.targets[p.Target].Versions) {
			if at == nil {
				at = v.offered()
			}
			if now, ok := at[s.GUID]; ok {
				p.MayBe(now.Dataset, s)
				break
			}
		}
	}
}

// offered are all snapshots of the sender, by guid.
func (v *view) offered() map[dataset.GUID]transfer.Snap {
	at := map[dataset.GUID]transfer.Snap{}
	add := func(d transfer.Dataset) {
		for _, s := range d.Versions {
			if s.Kind == dataset.Snapshot {
				at[s.GUID] = snap(d.Name, s)
			}
		}
	}
	for _, d := range v.others {
		add(d)
	}
	for _, d := range v.sources {
		add(d)
	}
	return at
}
