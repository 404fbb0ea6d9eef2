package retention

import (
	"strings"
	"time"
)

// The reference says what a policy does in the slowest and plainest way: one
// snapshot after the other, each rule from its definition, every bucket with
// its two edges.

type refRule struct {
	kind     string // grid, last_n, regex, not_replicated, calendar
	buckets  []refBucket
	n        int
	word     string // a regex that is a plain word
	negate   bool
	counts   map[string]int // of a calendar, by kind
	zone     *time.Location
	among    string // for a rule that counts: the plain word of a regex, or empty
	asParsed Rule
}

// refBucket holds ages from young (without) to old (with), in seconds.
type refBucket struct{ young, old, keep int64 }

func refOlder(a, b Snapshot) bool {
	if a.Creation != b.Creation {
		return a.Creation < b.Creation
	}
	if a.CreateTXG != b.CreateTXG {
		return a.CreateTXG < b.CreateTXG
	}
	return a.Name < b.Name
}

// refDestroys reports whether snaps[i] is to go.
func refDestroys(rules []refRule, snaps []Snapshot, i int, prefix string, anchor *int64) bool {
	s := snaps[i]
	if !strings.HasPrefix(s.Name, prefix) || s.Held || s.Origin || s.Protected || len(rules) == 0 {
		return false
	}
	var matching []Snapshot
	newer := 0
	var newest Snapshot
	for _, o := range snaps {
		if !strings.HasPrefix(o.Name, prefix) {
			continue
		}
		matching = append(matching, o)
		if refOlder(s, o) {
			newer++
		}
		if len(matching) == 1 || refOlder(newest, o) {
			newest = o
		}
	}
	if newer == 0 {
		return false
	}
	zero := newest.Creation
	if anchor != nil {
		zero = *anchor
	}
	counted, counts := false, false
	for _, r := range rules {
		if !r.isCounting() {
			if r.keeps(s, matching, newer, zero) {
				return false
			}
			continue
		}
		counts = true
		if !strings.Contains(s.Name, r.among) {
			continue
		}
		counted = true
		if r.keepsAmong(s, matching, anchor) {
			return false
		}
	}
	return counted || !counts
}

func (r refRule) isCounting() bool {
	return r.kind == "grid" || r.kind == "calendar" || r.kind == "last_n"
}

// keepsAmong is keeps as if there were only the snapshots that the rule counts.
func (r refRule) keepsAmong(s Snapshot, matching []Snapshot, anchor *int64) bool {
	var mine []Snapshot
	newer, zero := 0, int64(0)
	var newest Snapshot
	for _, o := range matching {
		if !strings.Contains(o.Name, r.among) {
			continue
		}
		if len(mine) == 0 || refOlder(newest, o) {
			newest = o
		}
		mine = append(mine, o)
		if refOlder(s, o) {
			newer++
		}
	}
	if zero = newest.Creation; anchor != nil {
		zero = *anchor
	}
	return r.keeps(s, mine, newer, zero)
}

func (r refRule) keeps(s Snapshot, matching []Snapshot, newer int, zero int64) bool {
	switch r.kind {
	case "last_n":
		return newer < r.n
	case "regex":
		return strings.Contains(s.Name, r.word) != r.negate
	case "not_replicated":
		return !s.Replicated
	case "calendar":
		return r.calendarKeeps(s, matching, zero, Options{})
	}
	if s.Creation >= zero {
		return true
	}
	for _, b := range r.buckets {
		holds := func(o Snapshot) bool { return zero-o.Creation > b.young && zero-o.Creation <= b.old }
		if !holds(s) {
			continue
		}
		older := int64(0)
		for _, o := range matching {
			if holds(o) && refOlder(o, s) {
				older++
			}
		}
		return older < b.keep
	}
	return false
}
