package retention

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Counts says how many periods of each kind a calendar keeps; 0: none.
type Counts struct{ Hourly, Daily, Weekly, Monthly, Yearly int64 }

// maxPeriods bounds a number of periods. It is more than a century of hours.
const maxPeriods = 1_000_000

// kinds are those of periods, the shortest first. The lengths are those of a
// usual one, for pictures.
var kinds = [...]struct {
	name   string
	length int64
	of     func(*Counts) *int64
}{
	{"hourly", 3600, func(c *Counts) *int64 { return &c.Hourly }},
	{"daily", 86400, func(c *Counts) *int64 { return &c.Daily }},
	{"weekly", 7 * 86400, func(c *Counts) *int64 { return &c.Weekly }},
	{"monthly", 30 * 86400, func(c *Counts) *int64 { return &c.Monthly }},
	{"yearly", 365 * 86400, func(c *Counts) *int64 { return &c.Yearly }},
}

// calendar keeps the first snapshot of hours, days, weeks, months and years by
// the clock of a zone.
//
// Of each kind it counts the newest periods that have a snapshot, so a host
// that stood still loses nothing, neither then nor when it runs again. A
// snapshot that is the first of its period when it is taken stays the first,
// so no earlier run destroys what a later one would keep.
//
// With Options.Arrival a snapshot takes the place of another under the same
// conditions as in a Grid. For a given anchor, therefore, whatever arrives later
// destroys none of the firsts of the newest Counts periods of the calendar.
// Periods without a snapshot do not count, so there may be firsts of older
// periods, which lose their place to what fills these.
type calendar struct {
	counts Counts
	zone   *time.Location
}

// Calendar keeps the first snapshot of each of the newest periods.
func Calendar(counts Counts, zone *time.Location) (Rule, error) {
	some := false
	for _, kind := range kinds {
		n := *kind.of(&counts)
		if n < 0 || n > maxPeriods {
			return nil, fmt.Errorf("calendar: %s: a number of %d: it must be from 1 to %d", kind.name, n, maxPeriods)
		}
		some = some || n > 0
	}
	if !some {
		return nil, fmt.Errorf("calendar: no periods: at least one of %s is needed", kindNames())
	}
	return &calendar{counts, zone}, nil
}

func kindNames() string {
	var names []string
	for _, kind := range kinds {
		names = append(names, kind.name)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// decide lets those take part that are not newer than the anchor. Newer ones are
// kept, and count for nothing.
func (c *calendar) decide(v view) {
	j := calendarJudge{view: v, contradicted: v.contradicted()}
	clock := clock{zone: c.zone}
	for _, i := range v.byDate {
		if v.future(i) {
			v.say(i, true, "future")
		} else if v.age(i) < 0 {
			v.say(i, true, "anchor")
		} else {
			j.parts = append(j.parts, i)
			j.moments = append(j.moments, clock.at(v.snaps[i].Creation))
		}
	}
	j.kept = make([]uint8, len(j.parts))
	for k, kind := range kinds {
		if n := *kind.of(&c.counts); n > 0 {
			j.keepFirsts(k, n)
		}
	}
	var texts [1 << len(kinds)]string
	for at, i := range j.parts {
		kept := j.kept[at]
		switch {
		case v.age(i) == 0:
			v.say(i, true, "anchor")
			continue
		case texts[kept] == "":
			texts[kept] = reason(kept)
		}
		v.say(i, kept != 0, texts[kept])
	}
}

// reason names the kinds that keep a snapshot.
func reason(kept uint8) string {
	var names []string
	for k, kind := range kinds {
		if kept&(1<<k) != 0 {
			names = append(names, kind.name)
		}
	}
	if len(names) == 0 {
		return "calendar"
	}
	return strings.Join(names, ", ")
}

// calendarJudge is what a calendar knows of the snapshots that take part.
type calendarJudge struct {
	view
	contradicted map[int32]bool
	parts        []int32 // the snapshots, the oldest first
	moments      []moment
	kept         []uint8 // a bit for each kind that keeps the snapshot
}

// room is a period that has snapshots.
type room struct {
	period
	ordinal int64  // of the periods that count, this is the last so far
	taken   bool   // by its first, and so it counts
	txg     uint64 // the smallest of those that have taken it
}

// free reports whether the period's place is free for a snapshot. One that
// arrived later takes nothing from it.
func (r *room) free(txg uint64, arrival bool) bool { return !r.taken || arrival && r.txg > txg }

// rooms are in the order of their first snapshots.
type rooms struct {
	all   []room
	last  int   // the one that was entered last
	limit int64 // above all of their numbers
}

// enter returns the room of a period, and makes it if there is none. Only clocks
// that were set back bring back a period that is not the last.
func (r *rooms) enter(p period, counted int64) *room {
	if len(r.all) > 0 && r.all[r.last].period == p {
		return &r.all[r.last]
	}
	if p.number < r.limit {
		for r.last = len(r.all) - 1; r.last >= 0; r.last-- {
			if r.all[r.last].period == p {
				return &r.all[r.last]
			}
		}
	}
	r.last, r.limit = len(r.all), max(r.limit, p.number+1)
	r.all = append(r.all, room{period: p, ordinal: counted})
	return &r.all[r.last]
}

// keepFirsts notes which snapshots are the first of the newest n periods of a
// kind. Only periods count in which a snapshot can displace others.
func (j *calendarJudge) keepFirsts(kind int, n int64) {
	rooms := rooms{limit: math.MinInt64}
	in := make([]int, len(j.parts)) // the room in which a snapshot is the first, or -1
	counted := int64(0)
	for k, i := range j.parts {
		r, txg := rooms.enter(j.moments[k].period(kind), counted), j.snaps[i].CreateTXG
		if in[k] = rooms.last; !r.free(txg, j.arrival) {
			in[k] = -1
			continue
		}
		if j.contradicted[i] {
			continue
		}
		if !r.taken {
			counted++
			r.ordinal = counted
		}
		r.taken, r.txg = true, txg
	}
	for k, at := range in {
		if at >= 0 && counted-rooms.all[at].ordinal < n {
			j.kept[k] |= 1 << kind
		}
	}
}

// drawn is a grid that divides time much as the calendar does, for pictures.
func (c *calendar) drawn() *Grid {
	g := &Grid{}
	var end int64
	for _, kind := range kinds {
		n := *kind.of(&c.counts)
		if n*kind.length <= end {
			continue
		}
		count := (n*kind.length - end + kind.length - 1) / kind.length
		g.intervals = append(g.intervals, Interval{Count: count, Length: kind.length, Keep: 1, Text: kind.name, start: end})
		end += count * kind.length
	}
	return g
}
