package retention

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func calendarFrom(t testing.TB, text string) Rule {
	t.Helper()
	rule, err := ParseCalendar(text, testZones)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// kept returns the names of the snapshots that stay, in order.
func kept(rule Rule, snaps []Snapshot, o Options) string {
	var names []string
	for i, v := range New(rule).Apply(snaps, o) {
		if !v.Destroy {
			names = append(names, snaps[i].Name)
		}
	}
	return strings.Join(names, " ")
}

// timed makes snapshots whose names are their times, in UTC.
func timed(t testing.TB, names string) (snaps []Snapshot) {
	t.Helper()
	for i, name := range strings.Fields(names) {
		at, err := time.Parse("2006-01-02T15:04", name)
		if err != nil {
			t.Fatal(err)
		}
		snaps = append(snaps, Snapshot{Name: name, Creation: at.Unix(), CreateTXG: uint64(i + 1)})
	}
	return snaps
}

func TestCalendar(t *testing.T) {
	for _, c := range []struct{ about, rule, snaps, want string }{
		{"the first of each day", "daily=2 zone=UTC",
			"2026-05-01T00:00 2026-05-01T12:00 2026-05-02T08:00 2026-05-02T09:00 2026-05-03T07:00 2026-05-03T08:00",
			"2026-05-02T08:00 2026-05-03T07:00 2026-05-03T08:00"},
		{"days without a snapshot do not count", "daily=3 zone=UTC",
			"2026-01-01T10:00 2026-02-01T10:00 2026-03-01T10:00 2026-05-03T07:00",
			"2026-02-01T10:00 2026-03-01T10:00 2026-05-03T07:00"},
		{"kinds overlap", "daily=1 monthly=2 zone=UTC",
			"2026-03-31T10:00 2026-04-01T10:00 2026-04-30T10:00 2026-05-01T07:00 2026-05-02T07:00 2026-05-02T08:00",
			"2026-04-01T10:00 2026-05-01T07:00 2026-05-02T07:00 2026-05-02T08:00"},
		{"weeks begin on Monday", "weekly=2 zone=UTC", // 2026-05-04 is one
			"2026-05-02T10:00 2026-05-03T23:59 2026-05-04T00:00 2026-05-10T23:59 2026-05-11T00:00",
			"2026-05-04T00:00 2026-05-11T00:00"},
		{"a week of two years is one", "weekly=2 zone=UTC", // 2024-12-30 is a Monday
			"2024-12-29T10:00 2024-12-30T10:00 2025-01-01T10:00 2025-01-05T10:00",
			"2024-12-29T10:00 2024-12-30T10:00 2025-01-05T10:00"},
		{"the clock of the zone", "daily=1 zone=Asia/Tokyo",
			"2026-05-01T14:59 2026-05-01T15:00 2026-05-02T14:59", "2026-05-01T15:00 2026-05-02T14:59"},
		{"years", "yearly=2 zone=UTC",
			"2024-06-01T00:00 2025-01-01T00:00 2025-06-01T00:00 2026-02-01T00:00 2026-03-01T00:00",
			"2025-01-01T00:00 2026-02-01T00:00 2026-03-01T00:00"},
		{"an hour that comes twice is two", "hourly=3 zone=Europe/Berlin", // from 02:59 to 02:00 at 01:00 in UTC
			"2026-10-24T23:30 2026-10-25T00:10 2026-10-25T00:50 2026-10-25T01:10 2026-10-25T01:50 2026-10-25T02:10",
			"2026-10-25T00:10 2026-10-25T01:10 2026-10-25T02:10"},
		{"an hour that is missing is none", "hourly=2 zone=Europe/Berlin", // from 01:59 to 03:00 at 01:00 in UTC
			"2026-03-29T00:10 2026-03-29T00:50 2026-03-29T01:10 2026-03-29T01:50",
			"2026-03-29T00:10 2026-03-29T01:10 2026-03-29T01:50"},
		{"a day of 25 hours is one", "daily=2 zone=Europe/Berlin",
			"2026-10-24T21:59 2026-10-24T22:00 2026-10-25T22:59 2026-10-25T23:00",
			"2026-10-24T22:00 2026-10-25T23:00"},
		{"a day of 23 hours is one", "daily=2 zone=Europe/Berlin",
			"2026-03-28T22:59 2026-03-28T23:00 2026-03-29T21:59 2026-03-29T22:00",
			"2026-03-28T23:00 2026-03-29T22:00"},
		{"a day that the clock goes back to is one", "daily=2 zone=America/St_Johns", // at 00:01 to 23:01, at 02:31 in UTC
			"2006-10-28T12:00 2006-10-29T02:30 2006-10-29T02:40 2006-10-29T04:00",
			"2006-10-28T12:00 2006-10-29T02:30 2006-10-29T04:00"},
	} {
		if got := kept(calendarFrom(t, c.rule), timed(t, c.snaps), Options{}); got != c.want {
			t.Errorf("%s: %s:\n%s of\n%s, want\n%s", c.about, c.rule, got, c.snaps, c.want)
		}
	}
}

func TestCalendarExplains(t *testing.T) {
	snaps := timed(t, "2026-03-01T10:00 2026-03-02T10:00 2026-03-02T11:00 2026-03-02T12:00 2026-03-02T13:00 2027-01-01T00:00")
	o := Options{Now: snaps[4].Creation}
	var got []string
	for _, v := range New(calendarFrom(t, "hourly=2 daily=2 monthly=1 zone=UTC")).Apply(snaps, o) {
		got = append(got, fmt.Sprint(v.Destroy, " ", v.Rule))
	}
	want := "false daily, monthly; false daily; true calendar; false hourly; false newest; false newest"
	if got := strings.Join(got, "; "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestParseCalendarErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                           `calendar "": at its end: no periods: at least one of hourly, daily, weekly, monthly and yearly is needed`,
		"zone=UTC":                   `calendar "zone=UTC": at its end: no periods: at least one of hourly, daily, weekly, monthly and yearly is needed`,
		"daily=3 dayly=1":            `calendar "daily=3 dayly=1": byte 9: expected one of hourly, daily, weekly, monthly and yearly, or zone`,
		"daily":                      `calendar "daily": at its end: expected = after daily, as in daily=35`,
		"daily=":                     `calendar "daily=": at its end: daily must be a whole number`,
		"daily=0":                    `calendar "daily=0": byte 7: daily must be at least 1`,
		"daily=1000001":              `calendar "daily=1000001": byte 7: daily must be at most 1000000`,
		"daily=3x":                   `calendar "daily=3x": byte 8: 'x' does not belong here`,
		"daily=3 daily=4":            `calendar "daily=3 daily=4": byte 9: daily is here twice`,
		"daily=3, zone=":             `calendar "daily=3, zone=": at its end: the name of a zone is missing, such as Europe/Berlin`,
		"daily=3, zone=Mars/Olympus": `calendar "daily=3, zone=Mars/Olympus": byte 15: unknown time zone Mars/Olympus`,
	} {
		_, err := ParseCalendar(text, testZones)
		var e *Error
		if !errors.As(err, &e) || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"hourly=24,daily=35,weekly=8,monthly=12,yearly=3,zone=Europe/Berlin": "calendar hourly=24 daily=35 weekly=8 monthly=12 yearly=3 zone=Europe/Berlin",
		" yearly=1\t, daily=1000000 ":                                        "calendar daily=1000000 yearly=1",
	} {
		if got := calendarFrom(t, text).String(); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for _, counts := range []Counts{{}, {Daily: -1}, {Daily: maxPeriods + 1}} {
		if _, err := Calendar(counts, time.UTC); err == nil {
			t.Errorf("%+v is no error", counts)
		}
	}
}

// Dates at the ends of what a number holds are only far away.
func TestCalendarFarAway(t *testing.T) {
	snaps := []Snapshot{{Name: "min", Creation: math.MinInt64}, {Name: "old", Creation: math.MinInt64 + 1}, {Name: "zero", Creation: 0},
		{Name: "now", Creation: 1_800_000_000}, {Name: "later", Creation: math.MaxInt64 - 1}, {Name: "max", Creation: math.MaxInt64}}
	for _, zone := range zoneNames {
		rule := calendarFrom(t, "hourly=9 yearly=9 zone="+zone)
		if got := kept(rule, snaps, Options{}); got != "min zero now later max" {
			t.Errorf("%s: %s", zone, got)
		}
		if got := kept(rule, snaps, Options{Now: 1_900_000_000}); got != "min zero now later max" {
			t.Errorf("%s, with a clock: %s", zone, got)
		}
	}
}

// life is what pruning after each snapshot leaves, beside the firsts of all
// periods that ever were.
type life struct {
	policy *Policy
	zone   *time.Location
	counts map[string]int
	there  []Snapshot
	firsts map[string][]string // by kind, the names
	last   map[string]string   // by kind, the label of the last period
	txg    uint64
}

func (l *life) take(now int64) {
	l.txg++
	s := Snapshot{Name: fmt.Sprint("z", l.txg), Creation: now, CreateTXG: l.txg, Replicated: true}
	l.there = append(l.there, s)
	for kind := range l.counts {
		if label := refLabel(kind, now, l.zone); label != l.last[kind] {
			l.last[kind] = label
			l.firsts[kind] = append(l.firsts[kind], s.Name)
		}
	}
}

func (l *life) prune(now int64) {
	verdicts := l.policy.Apply(l.there, Options{Now: now, Arrival: true})
	stay := l.there[:0]
	for i, v := range verdicts {
		if !v.Destroy {
			stay = append(stay, l.there[i])
		}
	}
	l.there = stay
}

// check wants just what the policy promises: of each kind the firsts of the
// newest periods, and the newest.
func (l *life) check(t *testing.T, now int64) {
	t.Helper()
	want := map[string]bool{fmt.Sprint("z", l.txg): true}
	for kind, n := range l.counts {
		firsts := l.firsts[kind]
		for _, name := range firsts[max(0, len(firsts)-n):] {
			want[name] = true
		}
	}
	for _, s := range l.there {
		if !want[s.Name] {
			t.Fatalf("%v: %s is there, and nothing keeps it", time.Unix(now, 0).In(l.zone), s.Name)
		}
		delete(want, s.Name)
	}
	if len(want) > 0 {
		t.Fatalf("%v: %v are gone", time.Unix(now, 0).In(l.zone), want)
	}
}

// Pruning in every hour of more than a year keeps in each of them just what the
// policy promises: no run destroys what a later one wants as a first.
func TestCalendarNeverRegrets(t *testing.T) {
	for _, zone := range zoneNames {
		t.Run(strings.ReplaceAll(zone, "/", "_"), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(25, uint64(len(zone))))
			l := &life{zone: zoneOf(t, zone), counts: map[string]int{"hourly": 24, "daily": 35, "weekly": 8, "monthly": 12, "yearly": 3},
				firsts: map[string][]string{}, last: map[string]string{}}
			l.policy = New(calendarFrom(t, "hourly=24 daily=35 weekly=8 monthly=12 yearly=3 zone="+zone))
			now, took := int64(1_160_000_000), 0 // October 2006
			for end := now + 500*86400; now < end; now += 3600 {
				if r.IntN(1500) == 0 { // the host stands still for up to 40 days
					now += r.Int64N(40 * 86400)
					l.prune(now)
					l.check(t, now)
				}
				for minute := range r.Int64N(3) {
					took++
					l.take(now + 60*minute + r.Int64N(60))
				}
				if l.txg == 0 {
					continue
				}
				l.prune(now + 180)
				l.check(t, now)
			}
			if took < 8000 || len(l.firsts["monthly"]) < 12 {
				t.Errorf("%d snapshots in %d months", took, len(l.firsts["monthly"]))
			}
		})
	}
}

// What is left after pruning often is what pruning once would leave of
// everything that ever was.
func TestCalendarOftenIsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(26, 26))
	for round := range rounds(t) / 100 {
		zone := randomZone(t, r)
		rule := randomCalendar(t, r, zone)
		policy := New(rule.asParsed)
		step := []int64{1200, 5000, 40_000, 200_000, 1_500_000}[r.IntN(5)]
		var all, there []Snapshot
		now := r.Int64N(2_000_000_000)
		for i := range 60 {
			now += 1 + r.Int64N(step)
			s := Snapshot{Name: fmt.Sprint(i), Creation: now, CreateTXG: uint64(i + 1)}
			all, there = append(all, s), append(there, s)
			if r.IntN(3) == 0 {
				continue
			}
			there = trial{policy: policy, snaps: there, o: Options{Now: now, Arrival: true}}.stay()
			if once := (trial{policy: policy, snaps: all, o: Options{Now: now, Arrival: true}}).stay(); !slices.Equal(once, there) {
				t.Fatalf("round %d, %v: often leaves\n%+v, once\n%+v", round, policy, there, once)
			}
		}
	}
}

// A client sends more, dated a little before each of the good ones, and on days
// between them: what was there first stays.
func TestCalendarArrival(t *testing.T) {
	const day = 86400
	var snaps []Snapshot
	for d := range int64(20) {
		snaps = append(snaps, Snapshot{Name: fmt.Sprint("good", d), Creation: (d+1)*day + 7200, CreateTXG: uint64(d + 1)})
	}
	for d := range int64(20) {
		snaps = append(snaps, Snapshot{Name: fmt.Sprint("evil", d), Creation: (d+1)*day + 60, CreateTXG: uint64(d + 100)})
	}
	snaps = append(snaps, Snapshot{Name: "now", Creation: 20*day + 9000, CreateTXG: 200})
	for _, arrival := range []bool{false, true} {
		gone := 0
		for i, v := range New(calendarFrom(t, "daily=30 zone=UTC")).Apply(snaps, Options{Arrival: arrival, Now: 21 * day}) {
			if v.Destroy && i < 20 {
				gone++
			}
		}
		if (gone == 0) != arrival {
			t.Errorf("arrival %v: %d good ones go", arrival, gone)
		}
	}
}

func TestCalendarTimeline(t *testing.T) {
	s := Simulation{Every: 3600, For: 300 * 86400, End: 1_790_000_000, Name: func(c int64) string { return fmt.Sprint(c) }}
	p := New(calendarFrom(t, "hourly=24 daily=35 weekly=8 monthly=6 zone=Europe/Berlin"))
	held, err := s.Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	got := p.Timeline("a", held, make([]Verdict, len(held)), Options{})
	t.Logf("%s", got)
	for _, row := range []string{"\n  hourly ", "\n  daily ", "\n  weekly ", "\n  monthly "} {
		if !strings.Contains(got, row) {
			t.Errorf("no row%s", row)
		}
	}
}

// FuzzCalendar reads any text, and has what it reads judge snapshots some time
// apart.
func FuzzCalendar(f *testing.F) {
	f.Add("hourly=24, daily=35, zone=Europe/Berlin", int64(1_790_000_000), uint8(1), []byte("\x01\x02\x30\x60\xff\x01\x09"))
	f.Add("weekly=1 monthly=2 yearly=3 zone=America/St_Johns", int64(1_160_000_000), uint8(7), []byte("abcdefghijklm"))
	f.Add("daily=2", int64(-1), uint8(3), []byte{0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, text string, from int64, scale uint8, gaps []byte) {
		rule, err := ParseCalendar(text, testZones)
		if err != nil {
			return
		}
		again, err := ParseCalendar(strings.TrimPrefix(rule.String(), "calendar "), testZones)
		if err != nil || again.String() != rule.String() {
			t.Fatalf("%q: printed as %q: %v", text, rule, err)
		}
		c := trial{policy: New(rule)}
		made := rule.(*calendar)
		ref := refRule{kind: "calendar", zone: made.zone, counts: map[string]int{}}
		for _, kind := range kinds {
			if n := *kind.of(&made.counts); n > 0 {
				ref.counts[kind.name] = int(n)
			}
		}
		c.rules = []refRule{ref}
		now := from % (1 << 33)
		for i, gap := range gaps[:min(len(gaps), 30)] {
			if now += int64(gap) << (scale % 20); gap == 255 {
				now -= 300 << (scale % 20)
			}
			c.snaps = append(c.snaps, Snapshot{Name: fmt.Sprint(i), Creation: now, CreateTXG: uint64(i + 1)})
		}
		c.check(t, text)
		c.o = Options{Arrival: true, Now: max(1, now)}
		c.check(t, text)
	})
}
