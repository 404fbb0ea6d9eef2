package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// tidy lets go of what earlier runs left held, and holds the base where it is
// not held. Where the base is not known yet, what is held stays until there
// is a new one.
func (r *round) tidy(ctx context.Context) error {
	var here, there transfer.Holds
	for i, p := range r.results {
		if p.Base == nil || p.Conflict != nil && p.Conflict.Reason.Failure() {
			continue
		}
		source, target := r.view.sources[p.Source], r.view.targets[p.Target]
		there.Release = append(there.Release, r.staleTarget(i)...)
		here.Release = append(here.Release, r.staleSource(i)...)
		if !slices.Contains(target.Held, p.Base.Receiver.Name) {
			there.Hold = append(there.Hold, r.target(i, p.Base.Receiver))
		}
		if target.Marked { // cut off between its first receive and the end of its mark
			there.Unmark = append(there.Unmark, p.Target)
		}
		held := slices.Contains(source.Held, p.Base.Sender.Name)
		switch {
		case r.bookmark(i) && len(p.Steps) == 0:
			r.moveCursor(&here, i, p.Base.Sender, held)
		case p.Base.Sender.Kind == dataset.Snapshot && !r.bookmark(i) && !held:
			here.Hold = append(here.Hold, r.source(i, p.Base.Sender))
		}
	}
	r.tidyOthers(&here)
	bad, err := r.tidyEnd(ctx, "receiver", r.Receiver.Protect, there)
	if err != nil {
		return err
	}
	for i, p := range r.results { // what the receiver does not hold, the sender keeps
		if bad[p.Target] != "" {
			r.fail(i, errors.New(bad[p.Target]))
			here = without(here, p.Source)
		}
	}
	if bad, err = r.tidyEnd(ctx, "sender", r.Sender.Protect, here); err != nil {
		return err
	}
	for i, p := range r.results {
		if bad[p.Source] != "" {
			r.fail(i, errors.New(bad[p.Source]))
		}
	}
	for _, d := range r.view.others {
		if bad[d.Name] != "" {
			r.others = errors.New(bad[d.Name])
			r.say(bad[d.Name])
		}
	}
	return nil
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

// moveCursor makes a bookmark the cursor of i where the run that should have
// done so was cut: it found nothing to send any more.
func (r *round) moveCursor(h *transfer.Holds, i int, base dataset.Version, held bool) {
	if base.Kind == dataset.Snapshot {
		h.Bookmark = append(h.Bookmark, r.source(i, base))
		if held {
			h.Release = append(h.Release, r.source(i, base))
		}
	}
	h.Forget = append(h.Forget, r.staleMarks(i, base)...)
}

// staleMarks are the cursor bookmarks of i's source but that of to.
func (r *round) staleMarks(i int, to dataset.Version) (out []transfer.Snap) {
	source := r.view.sources[r.results[i].Source]
	for _, v := range source.Versions {
		if v.Kind == dataset.Bookmark && v.GUID != to.GUID && slices.Contains(source.Marks, v.Name) {
			out = append(out, r.source(i, v))
		}
	}
	return out
}

// tidyOthers lets go of datasets that no longer take part. A bookmark keeps
// the place, in case that they do again.
func (r *round) tidyOthers(h *transfer.Holds) {
	for _, d := range r.view.others {
		for _, v := range d.Versions {
			if v.Kind == dataset.Snapshot && slices.Contains(d.Held, v.Name) {
				s := transfer.Snap{Dataset: d.Name, Name: v.Name, GUID: v.GUID}
				h.Bookmark = append(h.Bookmark, s)
				h.Release = append(h.Release, s)
			}
		}
	}
}

// staleSource are the snapshots of i's source that are held and are neither
// the base nor on their way.
func (r *round) staleSource(i int) []transfer.Snap {
	p := r.results[i]
	source := r.view.sources[p.Source]
	keep := brings(p.Steps)
	if p.Base != nil {
		keep = append(keep, p.Base.Sender)
	}
	var out []transfer.Snap
	for _, v := range source.Versions {
		same := func(k dataset.Version) bool { return k.GUID == v.GUID }
		if v.Kind == dataset.Snapshot && slices.Contains(source.Held, v.Name) && !slices.ContainsFunc(keep, same) {
			out = append(out, r.source(i, v))
		}
	}
	return out
}

// staleTarget is the same of i's target.
func (r *round) staleTarget(i int) []transfer.Snap {
	p := r.results[i]
	target := r.view.targets[p.Target]
	var out []transfer.Snap
	for _, v := range target.Versions {
		if v.Kind == dataset.Snapshot && slices.Contains(target.Held, v.Name) && (p.Base == nil || v.GUID != p.Base.Receiver.GUID) {
			out = append(out, r.target(i, v))
		}
	}
	return out
}
