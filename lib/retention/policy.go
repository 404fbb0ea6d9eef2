// Package retention decides which snapshots of a dataset to keep.
//
// A policy is a list of rules. A snapshot is destroyed only if no rule keeps
// it; an empty list keeps everything. Whatever the rules say, these are kept:
// snapshots without the prefix, the newest with the prefix, those that are
// held or have clones, those that the caller protects, and, where each rule that
// counts is about some names only (see Among), those that none is about.
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
	Name       string // after the @
	Creation   int64  // seconds since 1970
	CreateTXG  uint64 // orders those of the same second; 0 if not known
	Held       bool   // it has a hold
	Origin     bool   // of a clone, or the base of a partial receive
	Base       bool   // the next replication starts from it
	Protected  bool   // the caller asks to keep it
	Replicated bool   // the partner has it; for not_replicated
}

func (s *Snapshot) matches(prefix string) bool { return strings.HasPrefix(s.Name, prefix) }

// Policy is a list of rules. The zero value lets nothing go.
type Policy struct{ rules []Rule }

// New makes a policy of rules.
func New(rules ...Rule) *Policy { return &Policy{rules} }

// Rules returns the policy's rules in order.
func (p *Policy) Rules() []Rule { return p.rules }

// Options of Apply.
type Options struct {
	Prefix string // only snapshots whose names begin with it are looked at
	// Anchor is where grids and calendars begin, in seconds since 1970. Nil: at the
	// newest snapshot that matches and is not from the future.
	Anchor *int64
	// Now is the time, in seconds since 1970: what was created later is from
	// the future. 0: not known, and nothing is.
	Now int64
	// Arrival orders snapshots by createtxg. A creation comes from a clock that
	// may have been wrong, or with a stream from another host; a createtxg does
	// not. See Grid for what that promises.
	Arrival bool
	// Space is what is free in the dataset's pool, for the rule free. Nil: not
	// known, and that rule keeps everything.
	Space *Space
	// Arrived returns the largest createtxg that is known to have been there
	// this many seconds ago, for the rule of that name; 0: none is known. Nil:
	// everything has just arrived.
	Arrived func(age int64) uint64
}

// Verdict says what becomes of a snapshot, and which rule decided: of one
// that stays the first that keeps it, of one that goes all of them.
type Verdict struct {
	Destroy bool
	Spared  bool // no rule keeps it, and it is kept all the same
	Rule    string
}

// Apply judges the snapshots of one dataset, given in any order; the verdicts
// are in theirs. The newest is the one created last; equal times are ordered
// by createtxg, then by name. With Arrival the newest is the one that arrived
// last. The newest that is not from the future stays as well, so that
// snapshots from the future take nothing from the others.
func (p *Policy) Apply(snaps []Snapshot, o Options) []Verdict {
	verdicts := make([]Verdict, len(snaps))
	v := o.view(snaps, verdicts)
	if len(v.order) == 0 {
		return verdicts
	}
	p.decide(v, verdicts)
	newest, counted := v.newest(), p.counted()
	for _, i := range v.order {
		verdict, s := &verdicts[i], &snaps[i]
		stays := ""
		switch {
		case slices.Contains(newest, i):
			stays = "newest"
		case s.Held:
			stays = "held"
		case s.Origin:
			stays = "clone"
		case s.Base:
			stays = "base"
		case s.Protected:
			stays = "protected"
		case !p.decides():
			stays = "no rules"
		case !counted(s.Name):
			stays = "no rule counts it"
		default:
			continue
		}
		*verdict = Verdict{Spared: verdict.Destroy, Rule: stays}
	}
	return verdicts
}

// matching returns the snapshots with the prefix in the order of compare, and
// the verdict on the others.
func matching(snaps []Snapshot, prefix string, verdicts []Verdict, compare func(a, b *Snapshot) int) []int32 {
	order := make([]int32, 0, len(snaps))
	sorted := true
	for i := range snaps {
		if !snaps[i].matches(prefix) {
			verdicts[i].Rule = "prefix"
			continue
		}
		if n := len(order); n > 0 && compare(&snaps[order[n-1]], &snaps[i]) > 0 {
			sorted = false
		}
		order = append(order, int32(i))
	}
	if !sorted { // zfs lists them in order, as a rule
		slices.SortFunc(order, func(a, b int32) int { return compare(&snaps[a], &snaps[b]) })
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

func (p *Policy) decide(v view, verdicts []Verdict) {
	rules := p.deciding()
	for at, rule := range rules {
		v.say = func(i int32, keep bool, why string) {
			switch old := &verdicts[i]; {
			case at == 0:
				*old = Verdict{Destroy: !keep, Rule: why}
			case !old.Destroy: // an earlier rule keeps it
			case keep:
				*old = Verdict{Rule: why}
			case old.Rule == "": // the earlier ones are not about it
				old.Rule = why
			case why != "":
				old.Rule += ", " + why
			}
		}
		rule.decide(v)
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
