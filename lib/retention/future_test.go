package retention

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// refArrival says what a policy destroys where createtxg orders snapshots, in
// the slowest and plainest way.
func refArrival(rules []refRule, snaps []Snapshot, i int, o Options) bool {
	s := snaps[i]
	if !strings.HasPrefix(s.Name, o.Prefix) || s.Held || s.Origin || s.Protected || s.Base || len(rules) == 0 {
		return false
	}
	came := func(a, b Snapshot) bool { // a before b
		return a.CreateTXG < b.CreateTXG || a.CreateTXG == b.CreateTXG && refOlder(a, b)
	}
	future := func(a Snapshot) bool { return o.Now != 0 && a.Creation > o.Now }
	var all []Snapshot
	newer := 0
	lastToCome, lastSane, youngest := true, true, true
	for _, other := range snaps {
		if !strings.HasPrefix(other.Name, o.Prefix) {
			continue
		}
		all = append(all, other)
		if came(s, other) {
			newer++
			lastToCome = false
			lastSane = lastSane && future(other)
		}
		youngest = youngest && (future(other) || !refOlder(s, other))
	}
	if lastToCome || o.Now != 0 && !future(s) && (lastSane || youngest) {
		return false
	}
	counted, counts := false, false
	for _, r := range rules {
		if !r.isCounting() {
			if r.keeps(s, nil, newer, 0) {
				return false
			}
			continue
		}
		counts = true
		if !strings.Contains(s.Name, r.among) {
			continue
		}
		counted = true
		if r.arrivalKeeps(s, all, o, came, future) {
			return false
		}
	}
	return counted || !counts
}

// arrivalKeeps is what a rule that counts says, as if there were only the
// snapshots that it counts.
func (r refRule) arrivalKeeps(s Snapshot, matching []Snapshot, o Options, came func(a, b Snapshot) bool, future func(Snapshot) bool) bool {
	var all []Snapshot
	anchor, found, newer := o.Now, false, 0
	for _, other := range matching {
		if !strings.Contains(other.Name, r.among) {
			continue
		}
		all = append(all, other)
		if came(s, other) {
			newer++
		}
		if !future(other) && (!found || other.Creation > anchor) {
			anchor, found = other.Creation, true
		}
	}
	if o.Anchor != nil {
		anchor = *o.Anchor
	}
	switch {
	case r.kind == "calendar":
		return r.calendarKeeps(s, all, anchor, o)
	case r.kind == "last_n":
		return r.keeps(s, nil, newer, 0)
	case future(s) || s.Creation >= anchor:
		return true
	}
	for _, b := range r.buckets {
		holds := func(o Snapshot) bool {
			return anchor-o.Creation > b.young && anchor-o.Creation <= b.old && !future(o)
		}
		if !holds(s) {
			continue
		}
		better := int64(0)
		for _, other := range all {
			trusted := !slices.ContainsFunc(all, func(late Snapshot) bool { return came(other, late) && late.Creation < other.Creation })
			if holds(other) && refOlder(other, s) && other.CreateTXG <= s.CreateTXG && trusted {
				better++
			}
		}
		if better < b.keep {
			return true
		}
	}
	return false
}

// arrivalTrial is a random set of which some are from the future.
func arrivalTrial(t *testing.T, r *rand.Rand) trial {
	c := randomTrial(t, r)
	c.o.Arrival = r.IntN(4) > 0
	c.o.Now = 10_000 + r.Int64N(800)
	for i := range c.snaps {
		s := &c.snaps[i]
		s.CreateTXG = 2 * s.CreateTXG
		s.Base = r.IntN(20) == 0
		if r.IntN(12) == 0 {
			s.Creation = randomDate(r, c.o.Now)
		}
	}
	return c
}

func randomDate(r *rand.Rand, now int64) int64 {
	dates := []int64{now + 60, now + 23*3600 + 50*60, now + 40*86400, now + 50*365*86400, math.MaxInt64, 0, -1, -5_000_000_000, math.MinInt64,
		now, now + 1, now - 1, now - r.Int64N(900)}
	return dates[r.IntN(len(dates))]
}

func TestArrivalAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	judged, gone := 0, 0
	for round := range rounds(t) / 2 {
		c := arrivalTrial(t, r)
		c.o.Arrival = true
		for i := range c.snaps { // the reference subtracts without a second thought
			c.snaps[i].Creation = max(-1<<40, c.snaps[i].Creation)
		}
		for i, v := range c.policy.Apply(c.snaps, c.o) {
			if want := refArrival(c.rules, c.snaps, i, c.o); v.Destroy != want {
				t.Fatalf("round %d, policy %v, %+v of %+v (%+v): destroy is %v (%s), the reference says %v",
					round, c.policy, c.snaps[i], c.snaps, c.o, v.Destroy, v.Rule, want)
			}
			judged++
			if v.Destroy {
				gone++
			}
		}
	}
	t.Logf("%d sets, %d snapshots judged, %d go", rounds(t), judged, gone)
	if gone < judged/20 {
		t.Errorf("%d of %d go: the trials are one-sided", gone, judged)
	}
}

// with returns the trial with some snapshots more, made by make.
func (c trial) with(r *rand.Rand, n int, make func(i int) Snapshot) trial {
	more := c
	more.snaps = slices.Clone(c.snaps)
	for i := range n {
		more.snaps = append(more.snaps, make(i))
	}
	return more
}

// counts reports whether the policy keeps a number of snapshots.
func (c trial) counts() bool {
	return slices.ContainsFunc(c.rules, func(r refRule) bool { return r.kind == "last_n" })
}

// Snapshots from the future, however many, however far ahead and whenever they
// came, make no other snapshot go. Where the policy counts (last_n), each
// takes the place of one at most.
func TestFutureHarmsNoOther(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	compared, gone := 0, 0
	for round := range rounds(t) {
		c := arrivalTrial(t, r)
		n := 1 + r.IntN(30)
		more := c.with(r, n, func(i int) Snapshot {
			ahead := []int64{1, 60, 23*3600 + 50*60, 40 * 86400, 50 * 365 * 86400, math.MaxInt64 - c.o.Now}
			return Snapshot{Name: fmt.Sprint("z_future", i), Creation: c.o.Now + ahead[r.IntN(len(ahead))], CreateTXG: 2*r.Uint64N(200) + 1}
		})
		if c.counts() {
			c.policy, c.rules = countless(c)
			more.policy, more.rules = c.policy, c.rules
		}
		before, after := c.policy.Apply(c.snaps, c.o), more.policy.Apply(more.snaps, more.o)
		for i := range c.snaps {
			if after[i].Destroy && !before[i].Destroy && c.snaps[i].Creation <= c.o.Now {
				t.Fatalf("round %d, %v, %+v: with %+v goes %+v of %+v", round, c.policy, c.o, more.snaps[len(c.snaps):], c.snaps[i], c.snaps)
			}
			compared++
			if after[i].Destroy {
				gone++
			}
		}
		for i, v := range after[len(c.snaps):] {
			hasGrid := slices.ContainsFunc(c.rules, func(r refRule) bool { return r.kind == "grid" })
			if v.Destroy && hasGrid && c.o.Anchor == nil {
				t.Fatalf("round %d, %v: %+v goes", round, c.policy, more.snaps[len(c.snaps)+i])
			}
		}
	}
	t.Logf("%d compared, %d go", compared, gone)
	if gone < compared/20 {
		t.Error("the trials are one-sided")
	}
}

// countless is the trial's policy without the rules that count.
func countless(c trial) (*Policy, []refRule) {
	left := slices.DeleteFunc(slices.Clone(c.rules), func(r refRule) bool { return r.kind == "last_n" })
	var rules []Rule
	for _, r := range left {
		rules = append(rules, r.asParsed)
	}
	return New(rules...), left
}

// Whatever arrives later, dated anyhow, makes nothing go that was there,
// unless the grid's anchor moves on or the policy counts. What is spared is
// only the last to come, which is the newest no more.
func TestLaterArrivalsHarmNoOlder(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	compared, gone := 0, 0
	for round := range rounds(t) {
		c := arrivalTrial(t, r)
		c.o.Arrival = true
		c.policy, c.rules = countless(c)
		n := 1 + r.IntN(30)
		more := c.with(r, n, func(i int) Snapshot {
			return Snapshot{Name: fmt.Sprint("z_later", i), Creation: randomDate(r, c.o.Now), CreateTXG: 10_000 + uint64(r.IntN(2*n))}
		})
		given := c.o.Anchor != nil
		view := more.o.view(more.snaps, make([]Verdict, len(more.snaps)))
		anchor := view.anchor
		c.o.Anchor, more.o.Anchor = &anchor, &anchor
		before, after := c.policy.Apply(c.snaps, c.o), more.policy.Apply(more.snaps, more.o)
		for i := range c.snaps {
			if after[i].Destroy && !before[i].Destroy && !before[i].Spared {
				t.Fatalf("round %d, %v, %+v: with %+v goes %+v of %+v", round, c.policy, c.o, more.snaps[len(c.snaps):], c.snaps[i], c.snaps)
			}
			compared++
			if after[i].Destroy {
				gone++
			}
		}
		if anchor > c.o.Now && !given {
			t.Fatalf("round %d: the grid begins in the future", round)
		}
	}
	t.Logf("%d compared, %d go", compared, gone)
	if gone < compared/20 {
		t.Error("the trials are one-sided")
	}
}

// A client dates snapshots ahead for each of the next hours. When their time
// has come, they take no place from those that were taken until then.
func TestDatedAheadStaysHarmless(t *testing.T) {
	grid, err := ParseGrid("24x1h | 35x1d")
	if err != nil {
		t.Fatal(err)
	}
	const hour = 3600
	var there []Snapshot
	txg := uint64(0)
	add := func(name string, creation int64) {
		txg++
		there = append(there, Snapshot{Name: name, Creation: creation, CreateTXG: txg})
	}
	honest := map[string]bool{}
	evil := false
	for now := int64(1_000 * hour); now < 1_200*hour; now += hour {
		name := fmt.Sprint("good", now/hour)
		add(name, now-60)
		if now == 1_024*hour {
			evil = true
			for h := int64(0); h < 100; h++ {
				add(fmt.Sprint("evil", h), now+h*hour+hour-120)
			}
		}
		verdicts := New(grid).Apply(there, Options{Now: now, Arrival: true})
		var stay []Snapshot
		for i, v := range verdicts {
			if !v.Destroy {
				stay = append(stay, there[i])
			}
		}
		there = stay
		clear(honest)
		for _, s := range there {
			honest[s.Name] = true
		}
		for h := int64(0); evil && h < 24; h++ { // those of the last day are all there
			if name := fmt.Sprint("good", now/hour-h); now/hour-h >= 1_000 && !honest[name] {
				t.Fatalf("hour %d: %s is gone", now/hour, name)
			}
		}
	}
	days := 0
	for _, s := range there {
		if strings.HasPrefix(s.Name, "good") && s.Creation < 1_175*hour {
			days++
		}
	}
	if days < 6 {
		t.Errorf("of the days before %d are left", days)
	}
}

// A policy without a grid judges alike at any time. Only what is the newest
// depends on what is from the future.
func TestOnlyTheGridKnowsTheTime(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 12))
	for round := range rounds(t) / 10 {
		c := arrivalTrial(t, r)
		if slices.ContainsFunc(c.rules, func(r refRule) bool { return r.kind == "grid" }) {
			continue
		}
		at := func(now int64) []Verdict {
			o := c.o
			o.Now = now
			return c.policy.Apply(c.snaps, o)
		}
		early, late := at(1), at(1<<60)
		for i := range c.snaps {
			if e, l := early[i], late[i]; e.Rule != "newest" && l.Rule != "newest" && e != l {
				t.Fatalf("round %d, %v: %+v: %+v in 1970, %+v later", round, c.policy, c.snaps[i], e, l)
			}
		}
	}
}

func TestArrived(t *testing.T) {
	rule, err := Arrived(100)
	if err != nil {
		t.Fatal(err)
	}
	snaps := []Snapshot{{Name: "old", CreateTXG: 5, Creation: 1 << 40}, {Name: "edge", CreateTXG: 7}, {Name: "young", CreateTXG: 8}, {Name: "unknown"}, {Name: "newest", CreateTXG: 9}}
	for there, want := range map[uint64]string{0: "old edge young unknown newest", 7: "young unknown newest", 99: "unknown newest"} {
		var stay []string
		o := Options{Arrival: true, Now: 1000, Arrived: func(age int64) uint64 {
			if age != 100 {
				t.Errorf("asked for %d", age)
			}
			return there
		}}
		for i, v := range New(rule).Apply(snaps, o) {
			if !v.Destroy {
				stay = append(stay, snaps[i].Name)
			}
		}
		if got := strings.Join(stay, " "); got != want {
			t.Errorf("%d: %s stay, want %s", there, got, want)
		}
	}
	for _, v := range New(rule).Apply(snaps, Options{}) {
		if v.Destroy {
			t.Error("without knowledge something goes")
		}
	}
	if _, err := Arrived(0); err == nil {
		t.Error("an age of nothing")
	}
}
