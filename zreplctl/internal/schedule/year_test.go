package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// berlin has both changes of 2026: to summer time on 29 March, 01:00 UTC, and
// back on 25 October, 01:00 UTC.
func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	return zone
}

var (
	spring = time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	autumn = time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
	winter = time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC) // the next change after the year
)

// reading is what a clock in Berlin shows, as a time of UTC, by the dates above.
func reading(at time.Time) time.Time {
	if !at.Before(spring) && at.Before(autumn) || !at.Before(winter) {
		return at.Add(2 * time.Hour)
	}
	return at.Add(time.Hour)
}

// simulated is a job of the simulation, with its times once more: matches says
// of a minute that a clock shows whether it is one of them.
type simulated struct {
	name     string
	times    Times
	fixed    bool // a time of day
	interval time.Duration
	matches  func(r time.Time) bool
	open     func(r time.Time) bool // nil: always
}

// isTime says of one minute, by brute force, whether it is one of the job's.
func (s simulated) isTime(at time.Time) bool {
	at = at.Add(-s.times.Offset)
	if s.interval > 0 { // from midnight of a Monday, by clocks that are never set
		return at.Add(time.Hour).Sub(time.Date(1996, 1, 1, 0, 0, 0, 0, time.UTC))%s.interval == 0
	}
	r := reading(at)
	if !s.fixed {
		return s.matches(r)
	}
	if !at.Before(autumn) && at.Before(autumn.Add(time.Hour)) {
		return false // the second time that the clock shows it
	}
	for _, change := range []time.Time{spring, winter} {
		if at.Equal(change) { // all that the clock did not show
			for n := range 60 {
				if s.matches(r.Add(-time.Duration(n+1) * time.Minute)) {
					return true
				}
			}
		}
	}
	return s.matches(r)
}

func parse(t *testing.T, cron, window string) (c *Cron, w *Window) {
	t.Helper()
	var err error
	if cron != "" {
		if c, err = ParseCron(cron); err != nil {
			t.Fatal(err)
		}
	}
	if window != "" {
		if w, err = ParseWindow(window); err != nil {
			t.Fatal(err)
		}
	}
	return c, w
}

func simulatedJobs(t *testing.T) []simulated {
	zone := berlin(t)
	times := func(interval time.Duration, cron string, offset time.Duration, window string) Times {
		c, w := parse(t, cron, window)
		return Times{Interval: interval, Cron: c, Offset: offset, Window: w, Zone: zone}
	}
	weekday := func(r time.Time) bool { return r.Weekday() >= time.Monday && r.Weekday() <= time.Friday }
	at := func(h, m int) func(time.Time) bool {
		return func(r time.Time) bool { return r.Hour() == h && r.Minute() == m }
	}
	night := func(r time.Time) bool { return r.Hour() >= 22 || r.Hour() < 6 }
	interval := func(name string, every, offset time.Duration) simulated {
		return simulated{name: name, times: times(every, "", offset, ""), interval: every}
	}
	all := []simulated{
		interval("15m", 15*time.Minute, 0),
		interval("1h, 4 minutes later", time.Hour, 4*time.Minute),
		interval("6h", 6*time.Hour, 0),
		interval("7h", 7*time.Hour, 0),
		interval("1d, 135 minutes later", 24*time.Hour, 135*time.Minute),
		interval("1w", 7*24*time.Hour, 0),
		{name: "15m at night", times: times(15*time.Minute, "", 0, "22:00-06:00"), interval: 15 * time.Minute, open: night},
		{name: "1d in the hour that is skipped and repeated", times: times(24*time.Hour, "", 0, "02:00-03:00"), interval: 24 * time.Hour,
			open: func(r time.Time) bool { return r.Hour() == 2 }},
	}
	for _, c := range []struct {
		line    string
		fixed   bool
		matches func(time.Time) bool
	}{
		{"30 2 * * 1-5", true, func(r time.Time) bool { return at(2, 30)(r) && weekday(r) }},
		{"30 2 * * *", true, at(2, 30)},
		{"0 3 * * *", true, at(3, 0)},
		{"59 1 * * sun", true, func(r time.Time) bool { return at(1, 59)(r) && r.Weekday() == time.Sunday }},
		{"*/10 2 * * *", false, func(r time.Time) bool { return r.Hour() == 2 && r.Minute()%10 == 0 }},
		{"0-59/20 2 * * *", true, func(r time.Time) bool { return r.Hour() == 2 && r.Minute()%20 == 0 }},
		{"5 * * * *", false, func(r time.Time) bool { return r.Minute() == 5 }},
		{"@daily", true, at(0, 0)},
		{"@weekly", true, func(r time.Time) bool { return at(0, 0)(r) && r.Weekday() == time.Sunday }},
		{"@monthly", true, func(r time.Time) bool { return at(0, 0)(r) && r.Day() == 1 }},
		{"15 4 1,15 * fri", true, func(r time.Time) bool {
			return at(4, 15)(r) && (r.Day() == 1 || r.Day() == 15 || r.Weekday() == time.Friday)
		}},
		{"15 4 */2 * fri", true, func(r time.Time) bool { return at(4, 15)(r) && r.Day()%2 == 1 && r.Weekday() == time.Friday }},
		{"0 12 * feb-apr,oct 0,6", true, func(r time.Time) bool {
			return at(12, 0)(r) && (r.Month() >= 2 && r.Month() <= 4 || r.Month() == 10) && (r.Weekday() == 0 || r.Weekday() == 6)
		}},
	} {
		all = append(all, simulated{name: c.line, times: times(0, c.line, 0, ""), fixed: c.fixed, matches: c.matches})
	}
	return all
}

// world is a year of a host: its clock, which is wrong at times, and whether it
// is awake.
type world struct {
	skew      []time.Duration // of the clock, by the minute
	asleep    []bool
	restarted []bool
	reloaded  []bool
}

const yearMinutes = 365 * 24 * 60

func newWorld(seed uint64, events bool) *world {
	w := &world{make([]time.Duration, yearMinutes), make([]bool, yearMinutes), make([]bool, yearMinutes), make([]bool, yearMinutes)}
	if !events {
		return w
	}
	r := rand.New(rand.NewPCG(seed, 18))
	span := func(most int) (from, to int) {
		from = r.IntN(yearMinutes)
		return from, min(from+1+r.IntN(most), yearMinutes)
	}
	for range 60 { // the clock is wrong for up to a day, by up to 30 days
		from, to := span(1440)
		by := time.Duration(r.IntN(2*43200)-43200) * time.Minute
		for i := from; i < to; i++ {
			w.skew[i] = by
		}
	}
	for range 40 { // small steps, for good
		by := time.Duration(r.IntN(7)-3) * time.Minute
		for i := r.IntN(yearMinutes); i < yearMinutes; i++ {
			w.skew[i] += by
		}
	}
	for range 150 {
		from, to := span(3000)
		for i := from; i < to; i++ {
			w.asleep[i] = true
		}
		if r.IntN(2) == 0 && to < yearMinutes {
			w.restarted[to] = true
		}
	}
	for range 500 {
		w.restarted[r.IntN(yearMinutes)] = true
		w.reloaded[r.IntN(yearMinutes)] = true
	}
	return w
}

// TestYear: every job starts when brute force says it does, for a year with both
// changes of the clocks; in other years the host sleeps, its clock is set, and
// the daemon is restarted and reloaded.
func TestYear(t *testing.T) {
	jobs := simulatedJobs(t)
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(3) {
		w := newWorld(seed, seed > 0)
		for _, s := range jobs {
			t.Run(fmt.Sprintf("%d/%s", seed, s.name), func(t *testing.T) {
				t.Parallel()
				got, want := w.schedule(s, begin), w.bruteForce(s, begin)
				if !slices.EqualFunc(got, want, time.Time.Equal) {
					for i := range min(len(got), len(want)) {
						if !got[i].Equal(want[i]) {
							t.Fatalf("%d runs, not %d: run %d is %s, not %s", len(got), len(want), i, got[i], want[i])
						}
					}
					t.Fatalf("%d runs, not %d", len(got), len(want))
				}
				if len(got) == 0 {
					t.Error("no run at all")
				}
			})
		}
	}
}

// schedule runs a job by the package.
func (w *world) schedule(s simulated, begin time.Time) (runs []time.Time) {
	var written time.Time // what statedir keeps
	now := begin.Add(w.skew[0])
	j := New(s.times, now)
	written = j.Last
	for i := range yearMinutes {
		if w.asleep[i] {
			continue
		}
		now = begin.Add(time.Duration(i)*time.Minute + w.skew[i])
		if w.restarted[i] {
			j = New(s.times, now, written)
			written = j.Last
		}
		if w.reloaded[i] {
			j.Adopt(s.times, now)
		}
		if _, due := j.Look(now); due {
			j.Began(now)
			runs = append(runs, now)
		}
		written = j.Last
	}
	return runs
}

// bruteForce runs a job by a list of all minutes that are its times.
func (w *world) bruteForce(s simulated, begin time.Time) (runs []time.Time) {
	var times []time.Time
	end := begin.AddDate(1, 3, 0)
	for at := begin.AddDate(0, -3, 0); at.Before(end); at = at.Add(time.Minute) {
		if s.isTime(at) {
			times = append(times, at)
		}
	}
	var last time.Time // zero: never
	if s.interval == 0 {
		last = begin.Add(w.skew[0])
	}
	for i := range yearMinutes {
		now := begin.Add(time.Duration(i)*time.Minute + w.skew[i])
		if w.asleep[i] {
			continue
		}
		if last.After(now.Add(time.Minute)) {
			last = now // the clock was wrong when it ran
		}
		missed := last.IsZero()
		if !missed {
			first, _ := slices.BinarySearchFunc(times, last, func(at, last time.Time) int {
				if at.After(last) {
					return 1
				}
				return -1
			})
			missed = first < len(times) && !times[first].After(now)
		}
		if missed && (s.open == nil || s.open(reading(now))) {
			last = now
			runs = append(runs, now)
		}
	}
	return runs
}

// TestWrongClock: a clock that was years ahead for an hour, in which the job
// ran, delays no job by more than one of its times.
func TestWrongClock(t *testing.T) {
	for _, s := range simulatedJobs(t) {
		now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
		j := New(s.times, now, now.AddDate(3, 0, 0))
		start, due := j.Look(now)
		if want := s.times.Start(now); due || !start.Equal(want) {
			t.Errorf("%s: after a start: %v %s, not %s", s.name, due, start, want)
		}
		j.Began(now.AddDate(3, 0, 0))
		j.Look(now.AddDate(3, 0, 0))
		start, due = j.Look(now.Add(time.Hour))
		if want := s.times.Start(now.Add(time.Hour)); due || !start.Equal(want) {
			t.Errorf("%s: %v %s, not %s", s.name, due, start, want)
		}
	}
}
