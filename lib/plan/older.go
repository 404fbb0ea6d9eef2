package plan

import (
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Mine is what is known of the job's own holds on a dataset. The zero value
// means that nothing is known.
type Mine struct {
	// Last is the newest snapshot of the target that the job holds: the last
	// one that it received.
	Last dataset.GUID
	// Sent are the versions of the source that the job holds or has a cursor
	// bookmark of: what it sent last, and what it was about to send.
	Sent []dataset.GUID
}

// checkOlder finds wanted snapshots that can't be received any more, because
// somebody else brought a newer one to the target. It then makes the last
// snapshot that the job received the base, which stays protected until a
// person has decided.
func (o *one) checkOlder(base *Base, at int) *Conflict {
	if base == nil || o.p.Choice().NewestOnly() || o.sentBase(base) { // what is passed over is not missing
		return nil
	}
	last := slices.IndexFunc(o.receiver[:at], func(v dataset.Version) bool { return v.GUID == o.in.Mine.Last })
	if last < 0 {
		return nil
	}
	from, ok := byGUID(o.sender, o.in.Mine.Last)
	if !ok {
		return nil
	}
	there := make(map[dataset.GUID]bool, len(o.receiver))
	for _, v := range o.receiver {
		there[v.GUID] = true
	}
	for _, v := range o.wantedAfter(from.CreateTXG) {
		if v.CreateTXG < base.Sender.CreateTXG && !there[v.GUID] {
			o.r.Older = append(o.r.Older, v)
		}
	}
	if len(o.r.Older) == 0 {
		return nil
	}
	o.r.Base, o.r.Newest = &Base{Sender: from, Receiver: o.receiver[last]}, base
	return conflict(OlderMissing, "the target lacks %s of the source and can no longer receive it: the job received up to %s, and another one brought %s",
		named(o.r.Older), o.r.Base.Receiver, base.Receiver)
}

// sentBase reports whether the job sent the base itself. A run that was cut
// may have left it without a hold on the target, but then the end of what was
// under way is still held on the source.
func (o *one) sentBase(base *Base) bool {
	if slices.Contains(o.in.Mine.Sent, base.Sender.GUID) {
		return true
	}
	if base.Sender.Kind == dataset.Snapshot && !o.chosen(base.Sender) {
		return false
	}
	sent := make(map[dataset.GUID]bool, len(o.in.Mine.Sent))
	for _, g := range o.in.Mine.Sent {
		sent[g] = true
	}
	return slices.ContainsFunc(o.after(base.Sender.CreateTXG), func(v dataset.Version) bool {
		return v.Kind == dataset.Snapshot && sent[v.GUID]
	})
}

func hasGUID(vs []dataset.Version, g dataset.GUID) bool {
	return slices.ContainsFunc(vs, func(v dataset.Version) bool { return v.GUID == g })
}
