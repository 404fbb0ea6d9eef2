package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Host is what All has to know of a dataset of the receiver under which
// something is to be made.
type Host struct {
	Encrypted bool
	KeyLoaded bool
}

// Lookup tells whether the receiver has a dataset, and of what kind. It has to
// know the targets, all that stands above them and, where the listing begins
// further down, what stands above that (it must then say so: a pool's root is
// never created).
type Lookup func(target string) (Host, bool)

// All plans every dataset of a run: each by One, then what parents mean for
// children, and placeholders for what has to stand above the targets and comes
// from nowhere. The results are in order of their targets, parents first;
// there is one for each input and one for each placeholder.
//
// A dataset whose target cannot come into being takes with it what stands
// below; one that has a complete target and a conflict does not.
func All(ins []Input, there Lookup, p Policy) []Result {
	results := oneByOne(ins, p)
	tree := forest{p: p, at: make(map[string]int, len(ins))}
	gone := map[string]bool{} // partial receives that are discarded first
	tree.there = func(target string) (Host, bool) {
		if gone[target] {
			return Host{}, false
		}
		return there(target)
	}
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Target, b.Target) })
	for i := range results {
		tree.at[results[i].Target] = i
		if results[i].vanishes() {
			gone[results[i].Target] = true
		}
	}
	tree.results = results
	for i := range ins { // placeholders are appended behind
		tree.place(i)
	}
	tree.unshare(ins)
	results = tree.results
	slices.SortStableFunc(results, func(a, b Result) int { return strings.Compare(a.Target, b.Target) })
	return results
}

type forest struct {
	results []Result
	at      map[string]int // target to its result
	there   Lookup
	p       Policy
}

// place makes sure that result i has something to stand under. Inputs come
// sorted, so that what stands above was placed before.
func (f *forest) place(i int) {
	r := &f.results[i]
	if r.missing && !r.partial && r.Conflict != nil && r.Conflict.Reason == NoneChosen {
		f.waits(r)
		return
	}
	if r.Conflict != nil && r.missing || !r.missing || len(r.Steps) == 0 {
		return
	}
	var c *Conflict
	if !r.partial { // then it stands under something, listed or not
		c = f.above(r.Target)
	}
	if c == nil {
		c = f.inherits(&f.results[i])
	}
	if c != nil {
		f.results[i].Conflict, f.results[i].Steps = c, nil
	}
}

// waits makes sure that what waits for its first snapshot, and has no copy, has a
// pool: the copy may be in one that is not imported.
func (f *forest) waits(r *Result) {
	for name := r.Target; name != ""; name = dataset.Parent(name) {
		if _, ok := f.there(name); ok {
			return
		}
	}
	r.Conflict = noPool(dataset.Pool(r.Target))
}

func noPool(pool string) *Conflict {
	return conflict(NoPool, "the receiver has no pool %q, or has not imported it: zpool import %s", pool, pool)
}

// inherits reports whether r would come plain and inherit an encryption whose
// key is not there.
func (f *forest) inherits(r *Result) *Conflict {
	if r.sealed || f.p.PlainCopies {
		return nil
	}
	host, where := f.host(r.Target)
	if !host.Encrypted || host.KeyLoaded {
		return nil
	}
	return conflict(KeyNotLoaded, "the key of %q is not loaded, and plain data would be encrypted with it", where)
}

// above reports why nothing can be made below target's parent. It adds the
// placeholders that are missing.
func (f *forest) above(target string) *Conflict {
	parent := dataset.Parent(target)
	if parent == "" {
		return conflict(ParentFailed, "the target is a pool, which only zpool can make")
	}
	if i, ok := f.at[parent]; ok {
		r := &f.results[i]
		switch {
		case !r.missing, r.Conflict == nil:
			return nil
		case r.Conflict.Reason == NoPool:
			return r.Conflict
		case r.vanishes(): // what it stands under is there, listed or not
			return f.placeholder(parent)
		case !r.Conflict.Reason.nothing() || r.partial:
			return notWhole(parent, r.Conflict.Reason)
		}
		// The parent has nothing to send yet: a placeholder holds its place.
		delete(f.at, parent)
	}
	if _, ok := f.there(parent); ok {
		return nil
	}
	if dataset.Parent(parent) == "" {
		return noPool(parent)
	}
	if c := f.above(parent); c != nil {
		return c
	}
	return f.placeholder(parent)
}

func (f *forest) placeholder(name string) *Conflict {
	host, where := f.host(name)
	locked := host.Encrypted && !host.KeyLoaded
	if locked && !f.p.PlainPlaceholders {
		return conflict(PlaceholderEncrypted, "a placeholder %q is needed below %q, whose key is not loaded; the configuration does not say that it may be unencrypted",
			name, where)
	}
	r := Result{Target: name, missing: true}
	r.Steps = []Step{{Kind: Placeholder, EncryptionOff: locked, Reason: "the datasets below need it"}}
	f.at[name] = len(f.results)
	f.results = append(f.results, r)
	return nil
}

// host finds the nearest dataset above name that exists, or will, encrypted.
func (f *forest) host(name string) (Host, string) {
	for p := dataset.Parent(name); p != ""; p = dataset.Parent(p) {
		if h, ok := f.there(p); ok {
			return h, p
		}
		if i, ok := f.at[p]; ok {
			switch r := &f.results[i]; {
			case r.sealed:
				return Host{Encrypted: true}, p
			case len(r.Steps) > 0 && r.Steps[0].EncryptionOff:
				return Host{}, p
			}
		}
	}
	return Host{}, ""
}

// String is a step as one line for people.
func (s Step) String() string {
	switch s.Kind {
	case Placeholder:
		return string(s.Kind)
	case Full:
		return fmt.Sprintf("%s %s", s.Kind, s.To)
	}
	switch {
	case s.From == nil:
		return fmt.Sprintf("%s %s", s.Kind, s.To)
	case s.Origin != "":
		return fmt.Sprintf("%s %s to %s", s.Kind, s.From.Full(s.Origin), s.To)
	}
	return fmt.Sprintf("%s %s to %s", s.Kind, s.From, s.To)
}
