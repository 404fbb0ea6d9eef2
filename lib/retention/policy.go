// Package retention decides which snapshots of a dataset may go.
//
// A policy is a list of rules, and a snapshot goes only if every rule lets it
// go; an empty list lets nothing go. Whatever the rules say, what does not
// match the prefix stays, and so do the newest that matches, what is held,
// what has clones, and what the caller says is protected.
//
// The package is pure: it knows no ZFS and no clock, and destroys nothing.
package retention

import (
	"cmp"
	"slices"
	"strings"
)

// Snapshot is what a policy looks at.
type Snapshot struct {
	Name       string // behind the @
	Creation   int64  // seconds since 1970
	CreateTXG  uint64 // orders those of the same second; 0 if not known
	Held       bool   // it has a hold
	Origin     bool   // of a clone, or the base of a partial receive
	Protected  bool   // the caller needs it: the last common base of a replication
	Replicated bool   // it has got to where it is replicated to; for not_replicated
}

// Policy is a list of rules. The zero value lets nothing go.
type Policy struct{ rules []Rule }

// New makes a policy of rules.
func New(rules ...Rule) *Policy { return &Policy{rules} }

// Rules returns the policy's rules in order.
func (p *Policy) Rules() []Rule { return p.rules }

// Options of Apply.
type Options struct {
	Prefix string // only snapshots whose names begin with it are looked at
	Anchor *int64 // where the grid begins, in seconds since 1970; nil: at the newest that matches
	// Arrival takes no snapshot for older than one with a smaller createtxg: a
	// creation comes from a clock that may have been wrong, or with a stream
	// from another host, and a createtxg does not.
	Arrival bool
}

// Verdict says what becomes of a snapshot, and which rule decided: of one
// that stays the first that keeps it, of one that goes all of them.
type Verdict struct {
	Destroy bool
	Spared  bool // the rules let it go, and it stays all the same
	Rule    string
}

// Apply judges the snapshots of one dataset, given in any order; the verdicts
// are in theirs. The newest is the one created last; equal times are ordered
// by createtxg, then by name.
func (p *Policy) Apply(snaps []Snapshot, o Options) []Verdict {
	verdicts := make([]Verdict, len(snaps))
	if o.Arrival {
		snaps = arrived(snaps, o.Prefix)
	}
	order := matching(snaps, o.Prefix, verdicts)
	if len(order) == 0 {
		return verdicts
	}
	p.judge(snaps, order, o.Anchor, verdicts)
	newest := order[len(order)-1]
	for _, i := range order {
		v, s := &verdicts[i], &snaps[i]
		stays := ""
		switch {
		case i == newest:
			stays = "newest"
		case s.Held:
			stays = "held"
		case s.Origin:
			stays = "clone"
		case s.Protected:
			stays = "protected"
		case len(p.rules) == 0:
			stays = "no rules"
		default:
			continue
		}
		*v = Verdict{Spared: v.Destroy, Rule: stays}
	}
	return verdicts
}

// arrived returns the snapshots with creations that do not decrease where
// createtxg increases, among those with the prefix.
func arrived(snaps []Snapshot, prefix string) []Snapshot {
	var order []int
	inOrder := true
	for i := range snaps {
		if !strings.HasPrefix(snaps[i].Name, prefix) {
			continue
		}
		if n := len(order); n > 0 {
			last := &snaps[order[n-1]]
			inOrder = inOrder && last.CreateTXG <= snaps[i].CreateTXG && last.Creation <= snaps[i].Creation
		}
		order = append(order, i)
	}
	if inOrder {
		return snaps
	}
	snaps = slices.Clone(snaps)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(snaps[a].CreateTXG, snaps[b].CreateTXG) })
	for n := 1; n < len(order); n++ {
		s := &snaps[order[n]]
		s.Creation = max(s.Creation, snaps[order[n-1]].Creation)
	}
	return snaps
}

// matching returns the snapshots with the prefix, the oldest first, and the
// verdict on the others.
func matching(snaps []Snapshot, prefix string, verdicts []Verdict) []int32 {
	order := make([]int32, 0, len(snaps))
	sorted := true
	for i := range snaps {
		if !strings.HasPrefix(snaps[i].Name, prefix) {
			verdicts[i].Rule = "prefix"
			continue
		}
		if n := len(order); n > 0 && Compare(&snaps[order[n-1]], &snaps[i]) > 0 {
			sorted = false
		}
		order = append(order, int32(i))
	}
	if !sorted { // zfs lists them in order, as a rule
		slices.SortFunc(order, func(a, b int32) int { return Compare(&snaps[a], &snaps[b]) })
	}
	return order
}

// Compare orders two snapshots of one dataset, the older first.
func Compare(a, b *Snapshot) int {
	return cmp.Or(
		cmp.Compare(a.Creation, b.Creation),
		cmp.Compare(a.CreateTXG, b.CreateTXG),
		cmp.Compare(a.Name, b.Name),
	)
}

// Newest returns the newest snapshot with the prefix, nil where there is none.
func Newest(snaps []Snapshot, prefix string) *Snapshot {
	var newest *Snapshot
	for i := range snaps {
		s := &snaps[i]
		if strings.HasPrefix(s.Name, prefix) && (newest == nil || Compare(newest, s) < 0) {
			newest = s
		}
	}
	return newest
}

func (p *Policy) judge(snaps []Snapshot, order []int32, anchor *int64, verdicts []Verdict) {
	v := view{snaps: snaps, order: order, anchor: snaps[order[len(order)-1]].Creation}
	if anchor != nil {
		v.anchor = *anchor
	}
	for at, rule := range p.rules {
		v.say = func(i int32, keep bool, why string) {
			switch old := &verdicts[i]; {
			case at == 0:
				*old = Verdict{Destroy: !keep, Rule: why}
			case !old.Destroy: // an earlier rule keeps it
			case keep:
				*old = Verdict{Rule: why}
			case len(p.rules) > 1:
				old.Rule += ", " + why
			}
		}
		rule.judge(v)
	}
}

// String writes the policy on one line, rule by rule.
func (p *Policy) String() string {
	if len(p.rules) == 0 {
		return "keep all"
	}
	texts := make([]string, len(p.rules))
	for i, r := range p.rules {
		texts[i] = r.String()
	}
	return strings.Join(texts, "; ")
}
