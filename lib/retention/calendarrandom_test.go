package retention

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// zoneNames are zones whose clocks do what others do not: shifts of half an
// hour, at one minute past midnight, and by a whole day; summer time that is
// winter time; offsets with minutes and seconds.
var zoneNames = []string{"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia",
	"Pacific/Kwajalein", "Asia/Kathmandu", "Africa/Monrovia", "Africa/Casablanca", "Antarctica/Troll", "America/Havana", "Europe/Dublin"}

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func randomZone(t testing.TB, r *rand.Rand) *time.Location {
	if r.IntN(10) == 0 {
		return time.FixedZone("odd", r.IntN(86400)-43200)
	}
	return zoneOf(t, zoneNames[r.IntN(len(zoneNames))])
}

func randomCalendar(t testing.TB, r *rand.Rand, zone *time.Location) refRule {
	rule := refRule{kind: "calendar", zone: zone, counts: map[string]int{}}
	var counts Counts
	for len(rule.counts) == 0 {
		for _, kind := range kinds {
			if r.IntN(3) == 0 {
				n := 1 + r.IntN(6)
				rule.counts[kind.name] = n
				*kind.of(&counts) = int64(n)
			}
		}
	}
	var err error
	if rule.asParsed, err = Calendar(counts, zone); err != nil {
		t.Fatal(err)
	}
	return rule
}

// calendarTrial has snapshots by minutes, hours, days or months, often where
// the clocks of the zone change, and sometimes all of it.
func calendarTrial(t testing.TB, r *rand.Rand) trial {
	zone := randomZone(t, r)
	c := trial{o: Options{Prefix: []string{"z_", "z_", ""}[r.IntN(3)], Arrival: r.IntN(2) == 0}}
	now := r.Int64N(3_000_000_000) - 500_000_000
	if _, to := time.Unix(now, 0).In(zone).ZoneBounds(); !to.IsZero() && r.IntN(2) == 0 {
		now = to.Unix() - r.Int64N(20_000)
	}
	step := []int64{1200, 5000, 40_000, 200_000, 1_500_000, 12_000_000}[r.IntN(6)]
	rare := func() bool { return r.IntN(15) == 0 }
	for i := range r.IntN(40) {
		now += r.Int64N(step)
		if rare() {
			now += []int64{-10 * step, -step, 3600, 86400, 0}[r.IntN(5)]
		}
		prefix := "z_"
		if r.IntN(6) == 0 {
			prefix = "other_"
		}
		txg := 2 * uint64(100+i/(1+r.IntN(2)))
		c.snaps = append(c.snaps, Snapshot{Name: fmt.Sprintf("%s%d", prefix, i), Creation: now, CreateTXG: txg,
			Held: rare(), Origin: rare(), Protected: rare(), Replicated: r.IntN(2) == 0})
	}
	switch r.IntN(5) {
	case 0:
		anchor := now - r.Int64N(10*step)
		c.o.Anchor = &anchor
	case 1, 2:
		c.o.Now = max(now-r.Int64N(4*step)+r.Int64N(4*step), 1)
	}
	r.Shuffle(len(c.snaps), func(i, j int) { c.snaps[i], c.snaps[j] = c.snaps[j], c.snaps[i] })
	c.rules = []refRule{randomCalendar(t, r, zone)}
	if r.IntN(4) == 0 {
		c.rules = append(c.rules, randomCalendar(t, r, randomZone(t, r)))
	}
	if r.IntN(4) == 0 {
		n := 1 + r.IntN(4)
		last, err := LastN(int64(n))
		if err != nil {
			t.Fatal(err)
		}
		c.rules = slices.Insert(c.rules, r.IntN(2), refRule{kind: "last_n", n: n, asParsed: last})
	}
	c.policy = New()
	for _, rule := range c.rules {
		c.policy.rules = append(c.policy.rules, rule.asParsed)
	}
	return c
}

// calendarRounds is how many random cases are tried: the reference is slow.
func calendarRounds(t *testing.T) int {
	if n := rounds(t); n > 10_000 {
		return n
	}
	return 3_000
}

// check compares the verdicts with the reference, and returns how many go.
func (c trial) check(t *testing.T, name string) (gone int) {
	t.Helper()
	for i, v := range c.policy.Apply(c.snaps, c.o) {
		want := false
		if c.o.Arrival || c.o.Now != 0 {
			want = refArrival(c.rules, c.arriving(), i, c.o)
		} else {
			want = refDestroys(c.rules, c.snaps, i, c.o.Prefix, c.o.Anchor)
		}
		if v.Destroy != want {
			t.Fatalf("%s, policy %v, %+v of %+v (%+v): destroy is %v (%s), the reference says %v",
				name, c.policy, c.snaps[i], c.snaps, c.o, v.Destroy, v.Rule, want)
		}
		if v.Rule == "" {
			t.Fatalf("%s: no rule decided on %+v", name, c.snaps[i])
		}
		if v.Destroy {
			gone++
		}
	}
	return gone
}

// arriving are the snapshots as refArrival wants them: where createtxg counts
// for nothing, they have arrived in the order of their creations.
func (c trial) arriving() []Snapshot {
	if c.o.Arrival {
		return c.snaps
	}
	snaps := slices.Clone(c.snaps)
	order := make([]int, len(snaps))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return Compare(&c.snaps[a], &c.snaps[b]) })
	for at, i := range order {
		snaps[i].CreateTXG = uint64(at + 1)
	}
	return snaps
}

func TestCalendarAgainstReference(t *testing.T) {
	const parts = 4
	for part := range uint64(parts) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(21, part))
			judged, gone := 0, 0
			for round := range calendarRounds(t) / parts {
				c := calendarTrial(t, r)
				gone += c.check(t, fmt.Sprint("round ", round))
				judged += len(c.snaps)
			}
			t.Logf("%d policies and sets, %d snapshots judged, %d go", calendarRounds(t)/parts, judged, gone)
			if gone < judged/20 || gone > judged*19/20 {
				t.Errorf("%d of %d go: the trials are one-sided", gone, judged)
			}
		})
	}
}

func TestCalendarInvariants(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 22))
	for round := range calendarRounds(t) {
		c := calendarTrial(t, r)
		stay := c.stay()
		again := c
		again.snaps = stay
		if twice := again.stay(); !c.o.Arrival && !slices.Equal(twice, stay) {
			t.Fatalf("round %d, %v: pruned twice is not pruned once:\n%+v\n%+v", round, c.policy, twice, stay)
		}
		before := c.policy.Apply(c.snaps, c.o)
		more := c
		more.policy = New(append(slices.Clone(c.policy.rules), randomRule(t, r).asParsed)...)
		for i, v := range more.policy.Apply(c.snaps, c.o) {
			if v.Destroy && !before[i].Destroy {
				t.Fatalf("round %d: with one rule more (%v) %+v goes", round, more.policy, c.snaps[i])
			}
		}
	}
}

// Snapshots from the future, however many and whenever they came, make no other
// go.
func TestFutureHarmsNoCalendar(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 23))
	gone := 0
	for round := range calendarRounds(t) {
		c := calendarTrial(t, r)
		c.policy, c.rules = countless(c)
		c.o.Now = max(c.o.Now, 1_000_000)
		more := c.with(r, 1+r.IntN(20), func(i int) Snapshot {
			return Snapshot{Name: fmt.Sprint("z_future", i), Creation: c.o.Now + 1 + r.Int64N(1<<r.IntN(40)), CreateTXG: 2*r.Uint64N(200) + 1}
		})
		before, after := c.policy.Apply(c.snaps, c.o), more.policy.Apply(more.snaps, more.o)
		for i := range c.snaps {
			if after[i].Destroy && !before[i].Destroy && c.snaps[i].Creation <= c.o.Now {
				t.Fatalf("round %d, %v, %+v: with %+v goes %+v of %+v", round, c.policy, c.o, more.snaps[len(c.snaps):], c.snaps[i], c.snaps)
			}
			if after[i].Destroy {
				gone++
			}
		}
	}
	if gone == 0 {
		t.Error("nothing goes")
	}
}

// For a given anchor, whatever arrives later, dated anyhow, destroys nothing
// that a calendar keeps in the newest periods of the calendar itself.
func TestLaterArrivalsHarmNoCalendar(t *testing.T) {
	r := rand.New(rand.NewPCG(24, 24))
	watched, gone := 0, 0
	for round := range calendarRounds(t) {
		c := calendarTrial(t, r)
		rule := randomCalendar(t, r, time.UTC)
		c.rules, c.policy = []refRule{rule}, New(rule.asParsed)
		c.o.Arrival = true
		more := c.with(r, 1+r.IntN(30), func(i int) Snapshot {
			from := int64(1_000_000_000)
			if len(c.snaps) > 0 {
				from = c.snaps[r.IntN(len(c.snaps))].Creation
			}
			return Snapshot{Name: fmt.Sprint("z_later", i), Creation: from + r.Int64N(20_000_000) - 10_000_000, CreateTXG: 10_000 + uint64(r.IntN(60))}
		})
		anchor := more.o.view(more.snaps, make([]Verdict, len(more.snaps))).anchor
		c.o.Anchor, more.o.Anchor = &anchor, &anchor
		before, after := c.policy.Apply(c.snaps, c.o), more.policy.Apply(more.snaps, more.o)
		clock := clock{zone: time.UTC}
		end := clock.at(anchor)
		for i, s := range c.snaps {
			recent := false
			for k, kind := range kinds {
				recent = recent || before[i].Rule == kind.name && end.period(k).number-clock.at(s.Creation).period(k).number < int64(rule.counts[kind.name])
			}
			if after[i].Destroy {
				gone++
			}
			if !recent || before[i].Spared {
				continue
			}
			watched++
			if after[i].Destroy {
				t.Fatalf("round %d, %v, %+v: with %+v goes %+v of %+v", round, c.policy, c.o, more.snaps[len(c.snaps):], s, c.snaps)
			}
		}
	}
	t.Logf("%d watched, %d go", watched, gone)
	if watched == 0 || gone == 0 {
		t.Error("the trials are one-sided")
	}
}
