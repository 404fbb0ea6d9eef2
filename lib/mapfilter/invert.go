package mapfilter

import (
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Sources returns the names that the rules map to target, at most limit of
// them (0: all), ordered by the rules' patterns. They are names that could
// be, not datasets that are.
func (rs *Rules) Sources(target string, limit int) []string {
	var found []string
	add := func(r *rule, source string) bool {
		if rs.decide(source) == r {
			found = append(found, source)
		}
		return limit > 0 && len(found) >= limit
	}
	for at := target; at != ""; at = dataset.Parent(at) {
		for r := rs.into[at]; r != nil; r = r.next {
			source, ok := r.sourceOf(target)
			if ok && add(r, source) {
				slices.Sort(found)
				return found
			}
		}
	}
	slices.Sort(found)
	return found
}

// sourceOf undoes apply.
func (r *rule) sourceOf(target string) (source string, ok bool) {
	rest := target[len(r.target):]
	switch {
	case !r.tree:
		return r.path, rest == ""
	case r.path == "":
		return strings.TrimPrefix(rest, "/"), rest != ""
	}
	return r.path + rest, true
}

// Overlap returns two rules by which two different sources could land on one
// target, or ok false where that can't be. It looks at the rules only
// and knows of no datasets.
func (rs *Rules) Overlap() (a, b *Rule, ok bool) {
	for _, r := range rs.all {
		if r.kind != maps {
			continue
		}
		for at := r.target; at != ""; at = dataset.Parent(at) {
			for other := rs.into[at]; other != nil; other = other.next {
				if other != r && rs.meet(r, other) {
					return &other.Rule, &r.Rule, true
				}
			}
		}
	}
	return nil, nil, false
}

// Loop returns a target of the rules that is a source of theirs, too, or below
// which there are some once it is filled, and where that would go.
func (rs *Rules) Loop() (target, again string, ok bool) {
	for _, r := range rs.all {
		if r.kind != maps {
			continue
		}
		if again, ok := rs.Map(r.target); ok {
			return r.target, again, true
		}
		if again, ok := rs.Takes(r.target); ok && r.tree {
			return r.target, again, true
		}
	}
	return "", "", false
}

// Takes reports whether the rules map a dataset, or what may come to lie below
// it and no pattern names, and where to.
func (rs *Rules) Takes(name string) (target string, ok bool) {
	if target, ok := rs.Map(name); ok {
		return target, true
	}
	if r := rs.decideTree(name); r != nil && r.kind == maps {
		return r.apply(name), true
	}
	return "", false
}

// meet reports whether r and other, whose target is r's or above it, could
// give the same target to two sources.
func (rs *Rules) meet(r, other *rule) bool {
	same := r.target == other.target
	switch {
	case same && r.tree && other.tree:
		return true
	case !other.tree: // it gives its target only, and "<" never gives its own
		return same && !(r.tree && r.path == "")
	}
	// What other would give r's target to, and everything below that, may be
	// decided by a more specific rule.
	source, ok := other.sourceOf(r.target)
	if !ok {
		return false
	}
	if !r.tree {
		return rs.decide(source) == other
	}
	return rs.decideTree(source) == other
}

// Roots returns the datasets whose listing, with all below them, holds
// everything that the rules could pass; everything says that only a listing
// of all pools does. None lies within another.
func (rs *Rules) Roots() (roots []string, everything bool) {
	for _, r := range rs.all {
		switch {
		case r.kind == omits:
		case r.path == "":
			return nil, true
		default:
			roots = append(roots, r.path)
		}
	}
	return outermost(roots), false
}

// Tops returns, in order, the patterns whose results do not leave out what
// they name, less those that lie within another "<" of them.
func (rs *Rules) Tops() []string {
	return rs.patterns(func(r *rule) bool { return r.kind != omits && !rs.inTree(r) })
}

// Excepted returns, in order, the patterns whose results take back in what
// another pattern of a tree of Tops leaves out.
func (rs *Rules) Excepted() []string {
	return rs.patterns(func(r *rule) bool { return r.kind != omits && rs.inTree(r) && !rs.passedWithout(r) })
}

// Omitted returns, in order, the patterns whose results leave out what they
// name, and which would pass without them.
func (rs *Rules) Omitted() []string {
	return rs.patterns(func(r *rule) bool { return r.kind == omits && rs.passedWithout(r) })
}

func (rs *Rules) patterns(which func(*rule) bool) (patterns []string) {
	for _, r := range rs.all {
		if which(r) {
			patterns = append(patterns, r.Pattern)
		}
	}
	slices.Sort(patterns)
	return patterns
}

// inTree reports whether r lies within another "<" that leaves nothing out by
// itself.
func (rs *Rules) inTree(r *rule) bool {
	tree := func(path string) bool {
		other := rs.tree[path]
		return other != nil && other.kind != omits
	}
	inside := r.path != "" && (!r.tree && tree(r.path) || tree(""))
	for at := dataset.Parent(r.path); at != "" && !inside; at = dataset.Parent(at) {
		inside = tree(at)
	}
	return inside
}

// passedWithout reports whether the rules would let pass what r names if they
// did not have r.
func (rs *Rules) passedWithout(r *rule) bool {
	var other *rule
	switch {
	case !r.tree:
		other = rs.decideTree(r.path)
	case r.path == "":
		return false
	default:
		other = rs.decideTree(dataset.Parent(r.path))
	}
	return other != nil && other.kind != omits
}

// Named returns the datasets, in order, that patterns name and whose results
// do not leave them out.
func (rs *Rules) Named() (names []string) {
	for _, r := range rs.all {
		if r.kind != omits && r.path != "" {
			names = append(names, r.path)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Targets returns the datasets below which everything lands that the rules
// map, none within another.
func (rs *Rules) Targets() []string {
	var targets []string
	for target := range rs.into {
		targets = append(targets, target)
	}
	return outermost(targets)
}

// outermost drops the names that lie within another one.
func outermost(names []string) []string {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	var kept []string
	for name := range set {
		above := dataset.Parent(name)
		for above != "" && !set[above] {
			above = dataset.Parent(above)
		}
		if above == "" {
			kept = append(kept, name)
		}
	}
	slices.Sort(kept)
	return kept
}

// Exact returns the datasets that the rules let pass; ok is false if some rule
// is about a tree.
func (rs *Rules) Exact() (names []string, ok bool) {
	for _, r := range rs.all {
		switch {
		case r.kind == omits:
		case r.tree:
			return nil, false
		default:
			names = append(names, r.path)
		}
	}
	return names, len(names) > 0
}
