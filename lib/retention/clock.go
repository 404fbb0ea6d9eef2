package retention

import (
	"math"
	"time"
)

// clock tells what the clocks of a zone show. The offset from UTC is looked up
// once for as long as it holds, so it is asked in the order of time.
type clock struct {
	zone     *time.Location
	from, to int64 // the seconds since 1970 in which offset holds
	offset   int64 // in seconds
}

// moment is what a clock shows, to the hour.
type moment struct {
	hour   int64 // since the clock showed 1970
	offset int32 // from UTC: an hour that comes twice differs in it
	month  int32 // since the year 0
}

// period is an hour, a day, a week, a month or a year.
type period struct {
	number int64
	offset int32
}

// lastMoment is how far from 1970 zones and dates are computed, some 34,000
// years. What is beyond counts as being there.
const lastMoment = 1 << 40

func (c *clock) at(seconds int64) moment {
	seconds = min(max(seconds, -lastMoment), lastMoment)
	if seconds < c.from || seconds >= c.to {
		c.look(seconds)
	}
	wall := seconds + c.offset
	year, month, _ := time.Unix(wall, 0).UTC().Date()
	return moment{hour: floorDiv(wall, 3600), offset: int32(c.offset), month: int32(12*year + int(month) - 1)}
}

func (c *clock) look(seconds int64) {
	t := time.Unix(seconds, 0).In(c.zone)
	_, offset := t.Zone()
	c.from, c.to, c.offset = math.MinInt64, math.MaxInt64, int64(offset)
	from, to := t.ZoneBounds()
	if !from.IsZero() {
		c.from = from.Unix()
	}
	if !to.IsZero() {
		c.to = to.Unix()
	}
}

// mondays is what the days since 1970 need to begin with a Monday.
const mondays = 3

// period returns the one of a kind that a moment is in. The kinds are in the
// order of the list of kinds.
func (m moment) period(kind int) period {
	switch day := floorDiv(m.hour, 24); kind {
	case 0:
		return period{m.hour, m.offset}
	case 1:
		return period{number: day}
	case 2:
		return period{number: floorDiv(day+mondays, 7)}
	case 3:
		return period{number: int64(m.month)}
	default:
		return period{number: floorDiv(int64(m.month), 12)}
	}
}

// floorDiv divides and rounds down, also before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
