package job

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/verify"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// notes are what is known of a job's copies: on disk, and what was found since.
type notes struct {
	file state.Verified
	dry  bool // write nothing

	mu     sync.Mutex // of what follows
	known  map[string]state.Verification
	fresh  map[string]state.Verification // not on disk
	gone   []string
	wrote  time.Time
	failed error // why the file cannot be written
	closed bool  // it cannot be read, and is not replaced
}

// verifyNotes reads what is known of the job's copies. It sets a damaged file
// aside; one that cannot be read stays as it is.
func (r *Run) verifyNotes(dry bool) *notes {
	n := &notes{file: r.state().Verified(r.Job.Name), dry: dry, fresh: map[string]state.Verification{}}
	var err error
	if n.known, err = n.file.Read(); err == nil {
		return n
	}
	n.known = map[string]state.Verification{}
	if errors.Is(err, state.ErrDamaged) && !dry {
		path, aside := n.file.SetAside()
		if aside == nil {
			r.Say(fmt.Sprintf("the note of what verify found is damaged, and is now %q: compare all copies again", path))
			return n
		}
		err = errors.Join(err, aside)
	}
	n.closed, n.failed = true, fmt.Errorf("cannot read what was found before: %w", err)
	return n
}

// forget forgets what was found of copies that are gone, or that others have
// replaced.
func (n *notes) forget(listed map[string]replicate.Pair, gone func(target string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for target, known := range n.known {
		if p, ok := listed[target]; ok && (p.Gone || replaced(known, p)) || !ok && gone(target) {
			delete(n.known, target)
			delete(n.fresh, target)
			n.gone = append(n.gone, target)
		}
	}
}

// begin notes that a copy is being looked at, before that is done: one that never
// comes to an end would otherwise be the first of every sample. It is on disk after
// writeEvery at the latest. The function that it returns ends that.
func (n *notes) begin(p replicate.Pair) (end func()) {
	n.mu.Lock()
	one := n.known[p.Target]
	one.Source, one.Tried = p.Source, time.Now().Unix()
	n.set(p.Target, one)
	n.mu.Unlock()
	n.writeIfDue()
	timer := time.AfterFunc(writeEvery, n.writeIfDue)
	return func() { timer.Stop(); n.writeIfDue() }
}

func (n *notes) set(target string, one state.Verification) {
	n.known[target], n.fresh[target] = one, one
}

// found notes what comparing snapshots of a copy has shown. One of which all were
// skipped was not looked at.
func (n *notes) found(p replicate.Pair, all []verify.Result, before int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	one := found(n.known[p.Target], p, all, time.Now().Unix())
	one.Source, one.Tried = p.Source, time.Now().Unix()
	if !slices.ContainsFunc(all, func(r verify.Result) bool { return r.Outcome != verify.Skipped }) {
		one.Tried = before
	}
	n.set(p.Target, one)
}

// tried is when a copy was looked at; 0: never.
func (n *notes) tried(target string) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.known[target].Tried
}

func (n *notes) writeIfDue() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.wrote) >= writeEvery {
		n.write()
	}
}

// write writes what was found. What could not be written is tried again later.
func (n *notes) write() {
	if n.dry || n.closed {
		return
	}
	n.wrote = time.Now()
	if n.failed = n.file.Update(n.fresh, n.gone); n.failed == nil {
		n.fresh, n.gone = map[string]state.Verification{}, nil
	}
}

// close writes the rest. It returns why it cannot be noted.
func (n *notes) close(listed map[string]replicate.Pair) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dry {
		return nil
	}
	n.write()
	if n.failed == nil && n.file.Lost() != "" && n.complete(listed) {
		n.failed = n.file.Regained()
	}
	if n.failed != nil {
		return fmt.Errorf("cannot note what was found: %w", n.failed)
	}
	return nil
}

// complete reports whether all that can be compared was.
func (n *notes) complete(listed map[string]replicate.Pair) bool {
	for _, p := range listed {
		if n.known[p.Target].At == 0 && (p.Why == "" || p.Wrong) {
			return false
		}
	}
	return true
}

// orphans are the copies that are known to differ and whose sources are not
// listed.
func (n *notes) orphans(listed map[string]replicate.Pair) (all []verify.Result) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, target := range slices.Sorted(maps.Keys(n.known)) {
		known := n.known[target]
		if _, ok := listed[target]; ok || !known.Differs() {
			continue
		}
		d := known.Differing[0]
		all = append(all, verify.Result{Source: known.Source, Target: target, Snapshot: d.Snapshot, GUID: d.GUID, Outcome: verify.Skipped,
			Why: "the source is gone; it differed " + time.Unix(d.At, 0).Format(time.DateTime) + ": " + d.Why})
	}
	return all
}
