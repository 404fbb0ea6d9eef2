package job

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// choose chooses one snapshot for all: that which was asked for, or with which an
// earlier run has begun, or the newest of all these copies.
func (r *Restore) choose(ctx context.Context, there map[string]zfs.Dataset) error {
	begun := r.begun(there)
	if begun != "" && r.Snapshot != "" && begun != r.Snapshot {
		return advised(fmt.Sprintf("continue with @%s; or %s", begun, r.instead()),
			"a restore to %q has begun with @%s, not @%s", r.Target, begun, r.Snapshot)
	}
	newest, err := r.newest(ctx)
	if err != nil {
		return err
	}
	want := r.Snapshot
	if want == "" {
		want = begun
	}
	if want == "" {
		want = newest
	}
	if r.Snapshot == "" && want != newest && newest != "" {
		r.Run.tell(fmt.Sprintf("the restore to %q has begun with @%s, and stays with it; the newest is @%s, for which another target is needed", r.Target, want, newest))
	}
	for _, p := range r.parts {
		p.carrier = p.carrier && len(p.snapshots) == 0
		p.State = RestoreMissing
		if i := slices.IndexFunc(p.snapshots, func(v dataset.Version) bool { return v.Name == want }); i >= 0 {
			p.State, p.snapshot = RestoreFull, p.snapshots[i]
		}
	}
	return r.prepare(want, there)
}

// newest is the newest snapshot of all copies. Each copy's own order is that of
// their transaction groups; between copies, which may have come at any time, only
// the times tell at which the sources' snapshots were taken.
func (r *Restore) newest(ctx context.Context) (short string, err error) {
	var names []string
	txg := map[string]uint64{}
	for _, p := range r.parts {
		dataset.Sort(p.snapshots)
		if n := len(p.snapshots); n > 0 {
			name := p.snapshots[n-1].Full(p.Copy)
			names, txg[name] = append(names, name), p.snapshots[n-1].CreateTXG
		}
	}
	best, at := "", uint64(0)
	err = r.from.taken(ctx, names, func(name string, taken uint64) {
		if best == "" || taken > at || taken == at && txg[name] > txg[best] {
			best, at = name, taken
		}
	})
	if err != nil {
		return "", err
	}
	_, _, short = dataset.Split(best)
	return short, nil
}

// prepare says what is missing, and leaves empty copies out that carry none of
// those to be restored.
func (r *Restore) prepare(want string, there map[string]zfs.Dataset) error {
	r.miss(want, there)
	carries := map[string]bool{}
	for _, p := range slices.Backward(r.parts) {
		if p.carrier && carries[p.Copy] {
			p.State = RestoreCarrier
		}
		if p.State != RestoreMissing {
			carries[dataset.Parent(p.Copy)] = true
		}
	}
	root := r.parts[0]
	r.parts = slices.DeleteFunc(r.parts, func(p *RestorePart) bool { return p.carrier && p.State == RestoreMissing })
	switch {
	case want == "":
		return fmt.Errorf("the copy %q has no snapshot", r.copy)
	case len(r.parts) == 0 || r.parts[0] != root || root.State == RestoreMissing && there[r.Target].Name == "":
		hint := r.over("zfs list -t snapshot "+word(r.copy)) + " shows which it has"
		if r.Recursive {
			hint += "; name one of them, or restore the copies below by themselves"
		}
		return advised(hint, "the copy %q has no snapshot @%s%s", r.copy, want, root.newest())
	}
	return nil
}

// miss finds what has no such snapshot. What is below it has no place either,
// unless an earlier run has made that.
func (r *Restore) miss(want string, there map[string]zfs.Dataset) {
	above := map[string]string{} // the copy for which those below are missing, too
	for _, p := range r.parts {
		gone := above[dataset.Parent(p.Copy)]
		switch {
		case gone != "":
			p.State, p.snapshot = RestoreMissing, dataset.Version{}
			p.Err = advised("restore it by itself, to another target", "the copy %q above has no snapshot @%s", gone, want)
		case p.State == RestoreMissing && !p.carrier:
			p.Err = fmt.Errorf("the copy has no snapshot @%s%s", want, p.newest())
			if there[p.Target].Name == "" {
				gone = p.Copy
			}
		}
		above[p.Copy] = gone
	}
}

// newest says which is a copy's newest snapshot, at the end of a sentence.
func (p *RestorePart) newest() string {
	if len(p.snapshots) == 0 {
		return "; it has none"
	}
	return "; its newest is @" + p.snapshots[len(p.snapshots)-1].Name
}

// begun is the snapshot with which an earlier run has begun; empty: there was none.
func (r *Restore) begun(there map[string]zfs.Dataset) string {
	for _, p := range r.parts {
		if mark, ok := markOf(there[p.Target]); ok && mark.of(r, p) && mark.guid != 0 {
			return mark.short()
		}
		if len(p.held) > 0 {
			return p.held[0]
		}
	}
	return ""
}
