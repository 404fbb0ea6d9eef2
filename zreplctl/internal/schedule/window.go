package schedule

import (
	"fmt"
	"time"
)

// Window is a part of the day, by what local clocks show.
type Window struct {
	from, to time.Duration // since midnight; to is not in it
}

const day = 24 * time.Hour

// ParseWindow reads "22:00-06:00".
func ParseWindow(text string) (*Window, error) {
	var h1, m1, h2, m2 int
	var rest string
	n, _ := fmt.Sscanf(text, "%2d:%2d-%2d:%2d%s", &h1, &m1, &h2, &m2, &rest)
	w := &Window{time.Duration(h1)*time.Hour + time.Duration(m1)*time.Minute, time.Duration(h2)*time.Hour + time.Duration(m2)*time.Minute}
	switch {
	case n != 4 || text != w.String():
		return nil, fmt.Errorf("%q is not a part of the day: write 22:00-06:00", text)
	case h1 < 0 || h1 > 23 || m1 < 0 || h2 < 0 || m2 < 0 || m1 > 59 || m2 > 59 || w.to > day:
		return nil, fmt.Errorf("%q: no clock shows that: hours are 00 to 23, minutes 00 to 59", text)
	case w.from == w.to:
		return nil, fmt.Errorf("%q is empty: leave the key out for the whole day", text)
	}
	return w, nil
}

// String is as it was written.
func (w *Window) String() string {
	clock := func(d time.Duration) string {
		return fmt.Sprintf("%02d:%02d", d/time.Hour, d%time.Hour/time.Minute)
	}
	return clock(w.from) + "-" + clock(w.to)
}

// Has reports whether a moment is in the window.
func (w *Window) Has(at time.Time, zone *time.Location) bool {
	reading := shown(at, zone)
	if w.from < w.to {
		return reading >= w.from && reading < w.to
	}
	return reading >= w.from || reading < w.to
}

// Opens returns the first moment from at on that is in the window.
func (w *Window) Opens(at time.Time, zone *time.Location) time.Time {
	return w.find(at, zone, w.from, true)
}

// Closes returns the first moment from at on that is not in the window.
func (w *Window) Closes(at time.Time, zone *time.Location) time.Time {
	return w.find(at, zone, w.to, false)
}

// find returns the first moment from at on that is in the window, or is not:
// that is at once, when the clocks show edge, or when they are set over it.
func (w *Window) find(at time.Time, zone *time.Location, edge time.Duration, in bool) time.Time {
	for w.Has(at, zone) != in {
		wait := edge - shown(at, zone)
		if wait <= 0 {
			wait += day
		}
		then := at.Add(wait)
		if _, set := at.In(zone).ZoneBounds(); !set.IsZero() && set.Before(then) {
			then = set
		}
		at = then
	}
	return at
}

// shown is what local clocks show, since midnight.
func shown(at time.Time, zone *time.Location) time.Duration {
	local := at.In(zone)
	h, m, s := local.Clock()
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(local.Nanosecond())
}
