package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// protect has both ends hold the base of every dataset that has one, also of
// those that cannot go on: what a message about them names is to be there when
// a person acts on it. Only then it lets go of what earlier runs left.
func (r *round) protect(ctx context.Context) error {
	r.awaited = r.findAwaited()
	here, there := r.missing()
	skip, err := r.holdBases(ctx, here, there)
	if err != nil {
		return err
	}
	here, there = r.leftovers(skip)
	bad, err := r.tidyEnd(ctx, "receiver", r.Receiver.Protect, there)
	if err != nil {
		return err
	}
	for i, p := range r.results { // what the receiver does not hold, the sender keeps
		if err := bad[p.Target].Err(); err != nil {
			r.remain(&r.left.Receiver, there.Release, p.Target)
			r.remain(&r.left.Sender, here.Release, p.Source)
			r.fail(i, err)
			here = without(here, p.Source)
		}
	}
	if bad, err = r.tidyEnd(ctx, "sender", r.Sender.Protect, here); err != nil {
		return err
	}
	r.blameSender(here.Release, bad)
	return r.releaseStrays(ctx)
}

// releaseStrays lets go of datasets that have left the sender's own rules.
func (r *round) releaseStrays(ctx context.Context) error {
	if !r.thorough || len(r.awaited) > 0 { // the clone may be one of them
		return nil
	}
	strays, err := r.Sender.Strays(ctx, transfer.StraysRequest{Release: true, Keep: true})
	switch {
	case errors.As(err, new(*transfer.LinkError)), ctx.Err() != nil:
		return err
	case err != nil:
		r.untidy = true
		r.others = fmt.Errorf("cannot release the holds on datasets outside the sender's rules: %w", err)
		r.say(r.others.Error())
	}
	if strays.Count > 0 {
		r.say(fmt.Sprintf("released %d holds on datasets that have left the sender's rules; bookmarks keep their place", strays.Count))
	}
	if strays.Kept > 0 {
		r.say(fmt.Sprintf("warning: keeping %d holds on datasets that have left the sender's rules: no bookmark can be made there", strays.Kept))
	}
	return nil
}

// blameSender notes what went wrong with what earlier runs left. A hold stays if
// no bookmark can take its place, which is a failure only if the cursor is to
// be one.
func (r *round) blameSender(releases []transfer.Snap, bad transfer.Problems) {
	var unmarked []error
	for i, p := range r.results {
		err := bad[p.Source].Err()
		if errors.Is(err, fault.NoMark) && !r.bookmark(i) {
			unmarked = append(unmarked, err)
		} else if err != nil {
			r.remain(&r.left.Sender, releases, p.Source)
			r.fail(i, err)
		}
	}
	for _, d := range r.view.others {
		err := bad[d.Name].Err()
		if errors.Is(err, fault.NoMark) {
			unmarked = append(unmarked, err)
		} else if err != nil {
			r.untidy = true
			r.others = err
			r.say(err.Error())
		}
	}
	if len(unmarked) > 0 {
		r.say(fmt.Sprintf("warning: keeping what earlier runs hold of %s: %v", plural.Of(len(unmarked), "dataset"), unmarked[0]))
	}
}

// missing is the protection that the bases lack. Until nothing is left to
// send, a hold is the cursor also where a bookmark will be.
func (r *round) missing() (here, there transfer.Holds) {
	here.Confirm, there.Confirm = true, true
	here.Together, there.Together = true, true
	for i, p := range r.results {
		here.Common = append(here.Common, r.untold(p)...)
		if p.Base == nil {
			continue
		}
		source := r.view.sources[p.Source]
		forgotten := p.Conflict != nil && p.Conflict.Reason == plan.NoSnapshots // or it would be source-empty
		if !forgotten && !holds(r.view.targets[p.Target], p.Base.Receiver) {
			there.Hold = append(there.Hold, r.target(i, p.Base.Receiver))
		}
		// Whatever prunes the source, the conflict ends only when a person decides.
		if len(p.Older) > 0 && !holds(source, p.Older[0]) {
			here.Hold = append(here.Hold, r.source(i, p.Older[0]))
		}
		if r.view.targets[p.Target].Marked { // cut off between its first receive and the end of its mark
			there.Unmark = append(there.Unmark, p.Target)
		}
		switch base := p.Base.Sender; {
		case base.Kind != dataset.Snapshot, holds(source, base), marks(source, base.GUID):
		case r.bookmark(i) && len(p.Steps) == 0:
			here.Bookmark = append(here.Bookmark, r.source(i, base))
		default:
			here.Hold = append(here.Hold, r.source(i, base))
		}
	}
	return here, there
}

// holdBases puts protection in place. Skip are the results where that failed:
// nothing of theirs may be let go.
func (r *round) holdBases(ctx context.Context, here, there transfer.Holds) (skip map[int]bool, err error) {
	var bad [2]transfer.Problems
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() { bad[0], errs[0] = r.tidyEnd(ctx, "sender", r.Sender.Protect, here) })
	wg.Go(func() { bad[1], errs[1] = r.tidyEnd(ctx, "receiver", r.Receiver.Protect, there) })
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	skip = map[int]bool{}
	for i, p := range r.results {
		for _, problem := range []error{bad[0][p.Source].Err(), bad[1][p.Target].Err()} {
			switch {
			case problem == nil:
				continue
			case errors.Is(problem, fault.Gone): // as in step
				r.again[i] = problem
				r.results[i].Steps = nil
			default:
				r.fail(i, problem)
			}
			skip[i], r.untidy = true, true
		}
	}
	return skip, nil
}

// leftovers is what earlier runs left held beside the bases, as far as this
// round has looked: all of it, or only what was held for a partial receive. A dataset in
// conflict keeps what it has until a person has decided, but for the holds that
// a rollback to its base would meet.
func (r *round) leftovers(skip map[int]bool) (here, there transfer.Holds) {
	here.Together, there.Together = true, true
	for i, p := range r.results {
		switch {
		case skip[i]:
			continue
		case p.Conflict != nil && p.Conflict.Reason.Failure():
			there.Release = append(there.Release, r.heldBeyondBase(i)...)
			continue
		}
		there.Release = append(there.Release, r.staleTarget(i)...)
		r.leaveSource(&here, i)
	}
	for _, d := range r.view.others { // a bookmark keeps their place, in case that they take part again
		for _, v := range d.Versions {
			if holds(d, v) && !r.awaited[v.GUID] {
				here.Bookmark = append(here.Bookmark, snap(d.Name, v))
				here.Release = append(here.Release, snap(d.Name, v))
			}
		}
	}
	return here, there
}

// leaveSource lets go of what i's source has held beside its base. What the
// base's place was not held beside may be the cursor for another receiver
// that comes in turn, or for this one before it was rolled back: a bookmark
// keeps its place.
func (r *round) leaveSource(h *transfer.Holds, i int) {
	p, source := r.results[i], r.view.sources[r.results[i].Source]
	stale := r.staleSource(i)
	if p.Base == nil || !r.bookmark(i) && !holds(source, p.Base.Sender) {
		target := r.view.targets[p.Target]
		there := guidsOf(target.Versions)
		for _, s := range stale {
			if part := target.Partial; !there[s.GUID] && (part == nil || part.To != s.GUID) {
				h.Bookmark = append(h.Bookmark, s)
			}
		}
	}
	h.Release = append(h.Release, stale...)
	if p.Base == nil || len(p.Steps) > 0 {
		return
	}
	if base := p.Base.Sender; r.bookmark(i) && holds(source, base) && !r.awaited[base.GUID] { // the run that should have moved it was cut
		h.Bookmark = append(h.Bookmark, r.source(i, base))
		h.Release = append(h.Release, r.source(i, base))
	}
	h.Forget = append(h.Forget, r.staleMarks(i, p.Base.Sender)...)
}

// guidsOf is has for many questions.
func guidsOf(vs []dataset.Version) map[dataset.GUID]bool {
	guids := make(map[dataset.GUID]bool, len(vs))
	for _, v := range vs {
		guids[v.GUID] = true
	}
	return guids
}

func has(vs []dataset.Version, g dataset.GUID) bool {
	return slices.ContainsFunc(vs, func(v dataset.Version) bool { return v.GUID == g })
}

type protect func(context.Context, transfer.Holds) (transfer.Problems, error)

func (r *round) tidyEnd(ctx context.Context, name string, do protect, in transfer.Holds) (transfer.Problems, error) {
	if len(in.Hold)+len(in.Release)+len(in.Bookmark)+len(in.Keep)+len(in.Forget)+len(in.Unmark)+len(in.Common) == 0 {
		return nil, nil
	}
	bad, err := do(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("cannot move holds of the %s: %w", name, err)
	}
	n := 0
	for _, s := range in.Release {
		if bad[s.Dataset].Err() == nil {
			n++
		}
	}
	if n > 0 {
		r.say(fmt.Sprintf("released %d holds that earlier runs left on the %s", n, name))
	}
	return bad, nil
}

// without leaves out what h lets go of one dataset.
func without(h transfer.Holds, ds string) transfer.Holds {
	of := func(s transfer.Snap) bool { return s.Dataset == ds }
	h.Release = slices.DeleteFunc(h.Release, of)
	h.Bookmark = slices.DeleteFunc(h.Bookmark, of)
	h.Keep = slices.DeleteFunc(h.Keep, of)
	h.Forget = slices.DeleteFunc(h.Forget, of)
	return h
}

// bookmark reports whether the cursor of i is to be a bookmark.
func (r *round) bookmark(i int) bool { return r.view.sources[r.results[i].Source].Mark > 0 }

// keptMarks is how many cursor bookmarks stay of those that the receiver has,
// and as many of those that it has not: they are another receiver's that comes
// in turn, or this one's before it was rolled back.
const keptMarks = 3

// staleMarks are the cursor bookmarks of i's source that may go once to is the
// cursor.
func (r *round) staleMarks(i int, to dataset.Version) (out []transfer.Snap) {
	source, target := r.view.sources[r.results[i].Source], r.view.targets[r.results[i].Target]
	if len(source.Marks) == 0 {
		return nil
	}
	there := guidsOf(target.Versions)
	known, others := 1, 0 // to itself
	for _, v := range slices.Backward(source.Versions) {
		switch {
		case v.Kind != dataset.Bookmark, v.GUID == to.GUID, !source.Marks.Has(v.Name):
			continue
		case there[v.GUID]:
			known++
			if known <= keptMarks {
				continue
			}
		default:
			others++
			if others <= keptMarks {
				continue
			}
		}
		out = append(out, r.source(i, v))
	}
	return out
}

// staleKept are the bookmarks of i's earlier bases that go when base is kept,
// too.
func (r *round) staleKept(i int, base dataset.Version) (out []transfer.Snap) {
	source, n := r.view.sources[r.results[i].Source], 1 // base itself
	for _, v := range slices.Backward(source.Versions) {
		if v.Kind != dataset.Bookmark || v.GUID == base.GUID || !source.Kept.Has(v.Name) {
			continue
		}
		if n++; n > keptMarks {
			out = append(out, r.source(i, v))
		}
	}
	return out
}

// staleSource are the snapshots of i's source that are held and are neither
// the base nor what is sent next, nor what another target waits for.
func (r *round) staleSource(i int) []transfer.Snap {
	p := r.results[i]
	keep := map[dataset.GUID]bool{}
	if p.Base != nil {
		keep[p.Base.Sender.GUID] = true
	}
	if len(p.Steps) > 0 && p.Steps[0].To != nil {
		keep[p.Steps[0].To.GUID] = true
	}
	if part := r.view.targets[p.Target].Partial; part != nil && p.Discard != "" {
		keep[part.To] = true // see heldPart
	}
	source := r.view.sources[p.Source]
	var out []transfer.Snap
	for _, v := range source.Versions {
		if holds(source, v) && !keep[v.GUID] && !r.awaited[v.GUID] {
			out = append(out, r.source(i, v))
		}
	}
	return out
}

// staleTarget are the snapshots of i's target that are held and are not the
// base.
func (r *round) staleTarget(i int) []transfer.Snap {
	p := r.results[i]
	target := r.view.targets[p.Target]
	var out []transfer.Snap
	for _, v := range target.Versions {
		if holds(target, v) && p.Base != nil && v.GUID != p.Base.Receiver.GUID {
			out = append(out, r.target(i, v))
		}
	}
	return out
}
