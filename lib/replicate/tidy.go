package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// protect has both ends hold the base of every dataset that has one, also of
// those that cannot go on: what a message about them names is to be there when
// a person acts on it. Only then it lets go of what earlier runs left.
func (r *round) protect(ctx context.Context) error {
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
		if bad[p.Target] != "" {
			r.untidy = true
			r.fail(i, errors.New(bad[p.Target]))
			here = without(here, p.Source)
		}
	}
	if bad, err = r.tidyEnd(ctx, "sender", r.Sender.Protect, here); err != nil {
		return err
	}
	r.blameSender(bad)
	return r.releaseStrays(ctx)
}

// releaseStrays lets go of datasets that have left the sender's own rules.
func (r *round) releaseStrays(ctx context.Context) error {
	if !r.thorough {
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
	case strays.Count > 0:
		r.say(fmt.Sprintf("released %d holds on datasets that have left the sender's rules; bookmarks keep their place", strays.Count))
	}
	return nil
}

func (r *round) blameSender(bad transfer.Problems) {
	for i, p := range r.results {
		if bad[p.Source] != "" {
			r.untidy = true
			r.fail(i, errors.New(bad[p.Source]))
		}
	}
	for _, d := range r.view.others {
		if bad[d.Name] != "" {
			r.untidy = true
			r.others = errors.New(bad[d.Name])
			r.say(bad[d.Name])
		}
	}
}

// missing is the protection that the bases lack. Until nothing is left to
// send, a hold is the cursor also where a bookmark will be.
func (r *round) missing() (here, there transfer.Holds) {
	here.Confirm, there.Confirm = true, true
	here.Together, there.Together = true, true
	for i, p := range r.results {
		if p.Base == nil {
			continue
		}
		source := r.view.sources[p.Source]
		forgotten := p.Conflict != nil && p.Conflict.Reason == plan.NoSnapshots // or it would be source-empty
		if !forgotten && !holds(r.view.targets[p.Target], p.Base.Receiver) {
			there.Hold = append(there.Hold, r.target(i, p.Base.Receiver))
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
		for _, problem := range []string{bad[0][p.Source], bad[1][p.Target]} {
			switch {
			case problem == "":
				continue
			case transfer.Gone(errors.New(problem)): // others prune, too
				r.again[i] = errors.New(problem)
				r.results[i].Steps = nil
			default:
				r.fail(i, errors.New(problem))
			}
			skip[i], r.untidy = true, true
		}
	}
	return skip, nil
}

// leftovers is what earlier runs left held beside the bases, as far as this
// round has looked: all of it, or only what was held for a partial receive. A dataset in
// conflict keeps all that it has until a person has decided.
func (r *round) leftovers(skip map[int]bool) (here, there transfer.Holds) {
	here.Together, there.Together = true, true
	for i, p := range r.results {
		if skip[i] || p.Conflict != nil && p.Conflict.Reason.Failure() {
			continue
		}
		there.Release = append(there.Release, r.staleTarget(i)...)
		r.leaveSource(&here, i)
	}
	for _, d := range r.view.others { // a bookmark keeps their place, in case that they take part again
		for _, v := range d.Versions {
			if holds(d, v) {
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
		for _, s := range stale {
			target := r.view.targets[p.Target]
			if part := target.Partial; !has(target.Versions, s.GUID) && (part == nil || part.To != s.GUID) {
				h.Bookmark = append(h.Bookmark, s)
			}
		}
	}
	h.Release = append(h.Release, stale...)
	if p.Base == nil || len(p.Steps) > 0 {
		return
	}
	if base := p.Base.Sender; r.bookmark(i) && holds(source, base) { // the run that should have moved it was cut
		h.Bookmark = append(h.Bookmark, r.source(i, base))
		h.Release = append(h.Release, r.source(i, base))
	}
	h.Forget = append(h.Forget, r.staleMarks(i, p.Base.Sender)...)
}

func has(vs []dataset.Version, g dataset.GUID) bool {
	return slices.ContainsFunc(vs, func(v dataset.Version) bool { return v.GUID == g })
}

type protect func(context.Context, transfer.Holds) (transfer.Problems, error)

func (r *round) tidyEnd(ctx context.Context, name string, do protect, in transfer.Holds) (transfer.Problems, error) {
	if len(in.Hold)+len(in.Release)+len(in.Bookmark)+len(in.Forget)+len(in.Unmark) == 0 {
		return nil, nil
	}
	bad, err := do(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("cannot move holds of the %s: %w", name, err)
	}
	n := 0
	for _, s := range in.Release {
		if bad[s.Dataset] == "" {
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
	known, others := 1, 0 // to itself
	for _, v := range slices.Backward(source.Versions) {
		switch {
		case v.Kind != dataset.Bookmark, v.GUID == to.GUID, !slices.Contains(source.Marks, v.Name):
			continue
		case has(target.Versions, v.GUID):
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

// staleSource are the snapshots of i's source that are held and are neither
// the base nor what is sent next.
func (r *round) staleSource(i int) []transfer.Snap {
	p := r.results[i]
	keep := map[dataset.GUID]bool{}
	if p.Base != nil {
		keep[p.Base.Sender.GUID] = true
	}
	if len(p.Steps) > 0 && p.Steps[0].To != nil {
		keep[p.Steps[0].To.GUID] = true
	}
	source := r.view.sources[p.Source]
	var out []transfer.Snap
	for _, v := range source.Versions {
		if holds(source, v) && !keep[v.GUID] {
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
