package observe

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

// fewNewest is how many snapshots of a dataset are asked for holds if the first
// guess was wrong: the hold of a job that is well is on one of the newest.
const fewNewest = 4

// wanted is a dataset on which a hold with some tag is looked for.
type wanted struct {
	dataset, tag string
	chosen       plan.Choice    // the snapshots that may bear it
	guess        []dataset.GUID // that probably bear it
}

// findHolds asks for the holds of the likeliest snapshot of each dataset with
// one command, of those without an answer for some more, and looks at all
// snapshots only of the rest.
func (h *host) findHolds(ctx context.Context, all []wanted) error {
	all = h.without(all)
	for _, most := range []int{1, fewNewest} {
		var names []string
		for _, w := range all {
			if history := h.datasets[w.dataset]; history != nil {
				names = append(names, history.likely(w, most)...)
			}
		}
		if err := h.ask(ctx, h.fresh(names)); err != nil {
			return err
		}
		all = h.without(all)
	}
	var rest []string
	for _, w := range all {
		if history := h.datasets[w.dataset]; history != nil && len(history.all) > 0 {
			rest = append(rest, w.dataset)
		}
	}
	slices.Sort(rest)
	if rest = slices.Compact(rest); len(rest) == 0 {
		return nil
	}
	return h.askAll(ctx, rest)
}

// without are those of all that have no answer yet.
func (h *host) without(all []wanted) []wanted {
	return slices.DeleteFunc(all, func(w wanted) bool {
		return h.datasets[w.dataset].known(w) || len(h.bearing(w.dataset, w.tag)) > 0
	})
}

// known reports whether the newest snapshot is the one that the last run has
// found on both sides: no hold could say more.
func (history *history) known(w wanted) bool {
	if len(w.guess) == 0 {
		return false
	}
	newest := history.newest(plan.Choice{}, 1)
	return len(newest) > 0 && slices.Contains(w.guess, dataset.GUID(newest[0].guid))
}

// fresh are the names that were not asked for before, and notes that they are.
func (h *host) fresh(names []string) (out []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		if !h.asked[name] {
			h.asked[name] = true
			out = append(out, name)
		}
	}
	return out
}

// likely are the snapshots that most probably bear a hold: those that the last
// run has noted, and the newest ones.
func (history *history) likely(w wanted, most int) (names []string) {
	if history.known(w) {
		return nil
	}
	var versions []version
	for _, g := range w.guess {
		if v, ok := history.find(g); ok {
			versions = append(versions, v)
		}
	}
	if len(versions) == 0 || most > 1 {
		versions = append(versions, history.newest(w.chosen, most)...)
	}
	if most > 1 && w.chosen != (plan.Choice{}) {
		versions = append(versions, history.newest(plan.Choice{}, most)...)
	}
	for _, v := range versions {
		names = append(names, history.full(w.dataset, v))
	}
	return names
}

func (h *host) ask(ctx context.Context, names []string) error {
	holds, err := h.zfs.Holds(ctx, names)
	h.answers.Add(1)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, tags := range holds {
		ds, _, short := dataset.Split(name)
		h.held[ds] = append(h.held[ds], held{short, tags})
	}
	return nil
}

// askAll finds the held snapshots of datasets by the slow way.
func (h *host) askAll(ctx context.Context, datasets []string) error {
	var names []string
	for len(datasets) > 0 {
		n := zfs.FitArgs(datasets)
		o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "userrefs"}, Roots: datasets[:n], Depth: 1}
		err := h.zfs.List(ctx, o, func(f []string) error {
			h.answers.Add(1)
			if refs, err := strconv.ParseUint(f[1], 10, 64); err == nil && refs > 0 {
				names = append(names, f[0])
			}
			return nil
		})
		if err := zfs.Present(err); err != nil {
			return err
		}
		datasets = datasets[n:]
	}
	return h.ask(ctx, h.fresh(names))
}

// bearing returns the snapshots of a dataset that are held with a tag, the
// oldest first.
func (h *host) bearing(ds, tag string) (out []version) {
	history, few := h.datasets[ds], h.held[ds]
	if history == nil || len(few) == 0 {
		return nil
	}
	bears := func(v version) bool {
		return slices.ContainsFunc(few, func(s held) bool {
			return string(history.bytes(v)) == s.short && slices.Contains(s.tags, tag)
		})
	}
	for _, v := range history.all {
		if v.is(dataset.Snapshot) && bears(v) {
			out = append(out, v)
		}
	}
	return out
}

// date asks when versions were created, with as few commands as arguments
// allow.
func (h *host) date(ctx context.Context, names []string) error {
	h.mu.Lock()
	names = slices.DeleteFunc(names, func(name string) bool { _, known := h.made[name]; return known })
	h.mu.Unlock()
	slices.Sort(names)
	for names = slices.Compact(names); len(names) > 0; {
		n := zfs.FitArgs(names)
		o := zfs.ListOptions{Types: []string{"snapshot", "bookmark"}, Columns: []string{"name", "guid", "creation", "written"}, Roots: names[:n]}
		err := h.zfs.List(ctx, o, func(f []string) error {
			h.answers.Add(1)
			g, err := dataset.ParseGUID(f[1])
			if err != nil {
				return err
			}
			at, err := zfs.Creation(f[2])
			written, werr := strconv.ParseUint(f[3], 10, 64)
			if werr != nil { // a bookmark has none
				written = unknown
			}
			h.mu.Lock()
			h.made[strings.Clone(f[0])] = made{g, at, written}
			h.mu.Unlock()
			return err
		})
		if err := zfs.Present(err); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

// dateHolds asks for the holds of snapshots that are dated in the future: a
// hold's time is by the clock of this host, whatever the stream said.
func (h *host) dateHolds(ctx context.Context, names []string, now time.Time) error {
	h.since = map[string]time.Time{}
	var ahead []string
	for _, name := range names {
		if _, kind, _ := dataset.Split(name); kind == dataset.Snapshot && h.made[name].at > now.Add(health.Tolerance).Unix() {
			ahead = append(ahead, name)
		}
	}
	if len(ahead) == 0 {
		return nil
	}
	slices.Sort(ahead)
	holds, err := h.zfs.HoldTimes(ctx, slices.Compact(ahead))
	h.answers.Add(1)
	for _, hold := range holds {
		if first := h.since[hold.Snapshot]; !hold.Since.IsZero() && (first.IsZero() || hold.Since.Before(first)) {
			h.since[hold.Snapshot] = hold.Since
		}
	}
	return err
}
