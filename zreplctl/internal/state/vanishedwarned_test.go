package state

import (
	"testing"
	"time"
)

// TestVanishingWarned: no copy goes before its day was shown for a while, by a run
// before, whatever the clock, an old note or a shorter time say.
func TestVanishingWarned(t *testing.T) {
	const keep, day = 80 * 24 * time.Hour, 24 * time.Hour
	start := time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	counted := func(days int) (v Vanishing) { // by a run each day
		for n := range days + 1 {
			v.Look(start.Add(time.Duration(n)*day), keep)
		}
		return v
	}
	goes := func(v Vanishing, keep time.Duration, looks ...time.Duration) (due bool, left time.Duration) {
		for _, at := range looks {
			v.Look(start.Add(at), keep)
			var when time.Time
			when, due = v.When(start.Add(at), keep)
			left = when.Sub(start.Add(at))
		}
		return due, left
	}
	for _, c := range []struct {
		name  string
		v     Vanishing
		keep  time.Duration
		looks []time.Duration
		due   bool
		left  time.Duration
	}{
		{"by a run each day", counted(79), keep, []time.Duration{80 * day}, true, 0},
		{"a day less", counted(78), keep, []time.Duration{79 * day}, false, day},
		{"an old note", counted(79), keep, []time.Duration{2000 * day}, false, 10 * day},
		{"an old note, and soon after", counted(79), keep, []time.Duration{2000 * day, 2000*day + time.Hour, 2009 * day}, false, day},
		{"an old note, and long enough after", counted(79), keep, []time.Duration{2000 * day, 2005 * day, 2010 * day}, true, 0},
		{"an old note that is due", counted(90), keep, []time.Duration{2000 * day}, false, 10 * day},
		{"a shorter time", counted(3), 2 * day, []time.Duration{3*day + time.Hour}, false, day},
		{"a shorter time, shown for a day", counted(3), 2 * day, []time.Duration{3*day + time.Hour, 4*day + time.Hour}, true, 0},
		{"a shorter time, not for a day", counted(3), 2 * day, []time.Duration{3*day + time.Hour, 4 * day}, false, time.Hour},
		{"a much shorter time", counted(60), 40 * day, []time.Duration{60*day + time.Hour, 64 * day}, false, day + time.Hour},
		{"a longer time", counted(79), 160 * day, []time.Duration{80 * day}, false, 80 * day},
		{"by a run each twenty days", Vanishing{}, keep, []time.Duration{0, 20 * day, 40 * day, 60 * day, 80 * day, 100 * day, 120 * day, 140 * day, 160 * day}, false, 10 * day},
		{"and one run more", Vanishing{}, keep, []time.Duration{0, 20 * day, 40 * day, 60 * day, 80 * day, 100 * day, 120 * day, 140 * day, 160 * day, 180 * day}, true, 0},
	} {
		if due, left := goes(c.v, c.keep, c.looks...); due != c.due || left != c.left {
			t.Errorf("%s: due: %v, left: %v", c.name, due, left)
		}
	}
	v := counted(79)
	v.Look(start.Add(79*day+time.Hour), 160*day)
	if due, left := goes(v, keep, 80*day); due || left != 10*day {
		t.Errorf("a longer time and the shorter one again: %v, %v", due, left)
	}
	v = counted(79)
	v.Rest(start.Add(2000 * day))
	if due, left := goes(v, keep, 2001*day); due || left != 10*day {
		t.Errorf("an old note, and first a run that does not believe it: %v, %v", due, left)
	}
}
