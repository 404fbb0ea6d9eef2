// Package schedule says when a job is due. It is pure: it knows no clock, and
// gets every time from its caller.
//
// It promises that a job runs once for each of its times, or once for all of
// them that were missed, in a window if it has one. Whatever the clock is set
// to, a job never waits longer for a run than from one of its times to the next.
package schedule

import (
	"hash/fnv"
	"time"
)

// Times are the times of a job. The zero value has none.
type Times struct {
	Interval time.Duration // 0: none
	Cron     *Cron         // instead of Interval
	Offset   time.Duration // each time is that much later
	Window   *Window       // outside of which no run starts; nil: none
	Zone     *time.Location
}

// Spread is a stable offset for a job's name, of at most most.
func Spread(name string, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	sum := fnv.New64a()
	sum.Write([]byte(name))
	h := sum.Sum64()
	h ^= h >> 33 // names that differ in the last letter only are spread, too
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	offset := time.Duration(h % uint64(most))
	if most > time.Minute {
		offset = offset.Truncate(time.Second) // a person reads it
	}
	return offset
}

// None reports whether there are no times at all.
func (t Times) None() bool { return t.Interval <= 0 && t.Cron == nil }

func (t Times) zone() *time.Location {
	if t.Zone == nil {
		return time.UTC
	}
	return t.Zone
}

// Next returns the first of the times after a moment, wherever the window is.
func (t Times) Next(after time.Time) time.Time {
	switch {
	case t.Cron != nil:
		at := t.Cron.next(after.Add(-t.Offset), t.zone())
		if at.IsZero() {
			return at
		}
		return at.Add(t.Offset)
	case t.Interval > 0:
		return t.nextInterval(after)
	}
	return time.Time{}
}

// monday is the beginning of the intervals, by the clocks of the zone without
// summer time: those of a day begin at midnight, those of a week on Monday.
var monday = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

// nextInterval: the intervals are all of one length, whatever clocks are set to.
func (t Times) nextInterval(after time.Time) time.Time {
	begin := monday.Add(t.Offset - standard(after, t.zone()))
	passed := after.Sub(begin) % t.Interval
	if passed < 0 {
		passed += t.Interval
	}
	return after.Add(t.Interval - passed)
}

// standard is the offset of a zone without summer time, in the year of a moment.
func standard(at time.Time, zone *time.Location) time.Duration {
	for _, month := range []time.Month{time.January, time.July} {
		if one := time.Date(at.Year(), month, 1, 0, 0, 0, 0, time.UTC).In(zone); !one.IsDST() {
			return offset(one, zone)
		}
	}
	return offset(at, zone)
}

// Start returns the first moment after a run's start when the next may start:
// at the next of the times, or when the window opens after it.
func (t Times) Start(last time.Time) time.Time {
	at := t.Next(last)
	if at.IsZero() || t.Window == nil {
		return at
	}
	return t.Window.Opens(at, t.zone())
}

// Longest is how long there may be between two starts, as far as a year shows.
func (t Times) Longest(from time.Time) (longest time.Duration) {
	const many = 2000
	end := from.AddDate(1, 0, 1)
	at := t.Start(from)
	for range many {
		if at.IsZero() || at.After(end) && longest > 0 {
			break
		}
		next := t.Start(at)
		longest, at = max(longest, next.Sub(at)), next
	}
	return longest
}
