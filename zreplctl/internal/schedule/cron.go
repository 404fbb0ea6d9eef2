package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cron is a time as crontab(5) writes it, in local time.
type Cron struct {
	text                               string
	minutes, hours, days, months, week uint64 // bit n: the value n
	anyDay, anyWeekday                 bool   // the field begins with "*"
	// wild is a time with a "*" for minutes or hours. It goes by what the clock
	// shows; the others run once a day, whatever the clock is set to.
	wild bool
}

// field is what one of the five may hold.
type field struct {
	name      string
	low, high int
	names     []string // of the values from low on
}

var fields = [5]field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of the week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// words are those that stand for all five fields.
var words = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// ParseCron reads five fields, or one of the words.
func ParseCron(text string) (*Cron, error) {
	full := text
	if strings.HasPrefix(text, "@") {
		if full = words[text]; full == "" {
			return nil, fmt.Errorf("%q is unknown: known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually", text)
		}
	}
	parts := strings.Fields(full)
	if len(parts) != len(fields) {
		return nil, fmt.Errorf("%q has %d fields: minute, hour, day of the month, month, day of the week are 5", text, len(parts))
	}
	c := &Cron{text: text}
	for i, into := range []*uint64{&c.minutes, &c.hours, &c.days, &c.months, &c.week} {
		set, err := fields[i].parse(parts[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fields[i].name, err)
		}
		*into = set
	}
	if c.week&(1<<7) != 0 { // Sunday is 0 and 7
		c.week |= 1
	}
	star := func(i int) bool { return strings.HasPrefix(parts[i], "*") }
	c.wild, c.anyDay, c.anyWeekday = star(0) || star(1), star(2), star(4)
	if !c.happens() {
		return nil, fmt.Errorf("%q is a day that no year has", text)
	}
	return c, nil
}

// happens reports whether there is a month with such a day.
func (c *Cron) happens() bool {
	for at := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC); at.Year() < 2000+28; at = at.AddDate(0, 0, 1) { // all weekdays of a 29 February
		if c.on(at) {
			return true
		}
	}
	return false
}

// String is as it was written.
func (c *Cron) String() string { return c.text }

// parse reads a list of values, ranges and steps.
func (f field) parse(text string) (set uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > f.high {
				return 0, fmt.Errorf("%q: a step is a number from 1 to %d", part, f.high)
			}
		}
		low, high := f.low, f.high
		if from, to, isRange := strings.Cut(span, "-"); span != "*" {
			if low, err = f.value(from); err != nil {
				return 0, err
			}
			high = low
			switch {
			case isRange:
				if high, err = f.value(to); err != nil {
					return 0, err
				}
				if high == 0 && f.high == 7 { // sat-sun
					high = 7
				}
			case stepped:
				return 0, fmt.Errorf("%q: a step needs a range: write */%s or %s-%d/%s", part, stepText, span, f.high, stepText)
			}
			if high < low {
				return 0, fmt.Errorf("%q ends before it begins", part)
			}
		}
		for n := low; n <= high; n += step {
			set |= 1 << n
		}
	}
	if f.high == 7 && set&^(1<<7) == 0 && set == 0 {
		return 0, errors.New("empty")
	}
	return set, nil
}

func (f field) value(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return f.low + i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.low || n > f.high || strings.TrimLeft(text, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not one of %d to %d", text, f.low, f.high)
	}
	return n, nil
}

// on reports whether the day of at is one of its days. If both the day of the
// month and the day of the week are named, either will do.
func (c *Cron) on(at time.Time) bool {
	if c.months&(1<<at.Month()) == 0 {
		return false
	}
	day, weekday := c.days&(1<<at.Day()) != 0, c.week&(1<<at.Weekday()) != 0
	if c.anyDay || c.anyWeekday {
		return day && weekday
	}
	return day || weekday
}

// farthest is how many days ahead are looked at: there may be 8 years between
// two 29 February, and 40 until the next on one day of the week.
const farthest = 41 * 366

// next returns the first time after a moment, or the zero time.
func (c *Cron) next(after time.Time, zone *time.Location) time.Time {
	local := after.In(zone)
	year, month, day := local.Date()
	for n := range farthest {
		noon := time.Date(year, month, day+n, 12, 0, 0, 0, time.UTC)
		if !c.on(noon) {
			continue
		}
		if zone == time.UTC {
			if at := c.nextUTC(noon, after); !at.IsZero() {
				return at
			}
			continue
		}
		var first time.Time
		for _, at := range c.of(noon, zone) {
			if at.After(after) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
		if !first.IsZero() {
			return first
		}
	}
	return time.Time{}
}

// nextUTC is next on one day, for clocks that are never set.
func (c *Cron) nextUTC(noon, after time.Time) time.Time {
	midnight := noon.Add(-12 * time.Hour)
	for hour := range 24 {
		begin := midnight.Add(time.Duration(hour) * time.Hour)
		if c.hours&(1<<hour) == 0 || !begin.Add(time.Hour).After(after) {
			continue
		}
		for minute := range 60 {
			at := begin.Add(time.Duration(minute) * time.Minute)
			if c.minutes&(1<<minute) != 0 && at.After(after) {
				return at
			}
		}
	}
	return time.Time{}
}

// of returns the times of one day, in no order.
func (c *Cron) of(noon time.Time, zone *time.Location) (all []time.Time) {
	year, month, day := noon.Date()
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	for hour := range 24 {
		for minute := range 60 {
			if c.hours&(1<<hour) == 0 || c.minutes&(1<<minute) == 0 {
				continue
			}
			reading := midnight.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
			at, skipped := moments(reading, zone)
			switch {
			case c.wild && skipped: // the clock never shows it
			case c.wild:
				all = append(all, at...)
			default:
				all = append(all, at[0])
			}
		}
	}
	return all
}

// moments returns when the clocks of a zone show what reading shows in UTC:
// twice if they are set back over it. If they are set forward over it, it is
// the moment when they are, and skipped is true.
func moments(reading time.Time, zone *time.Location) (at []time.Time, skipped bool) {
	// Clocks are set once a day at most.
	before, after := offset(reading.Add(-day), zone), offset(reading.Add(day), zone)
	for _, off := range []time.Duration{before, after} {
		one := reading.Add(-off)
		if offset(one, zone) == off && (len(at) == 0 || !at[0].Equal(one)) {
			at = append(at, one)
		}
	}
	if len(at) > 0 {
		return at, false
	}
	change, _ := reading.Add(-before).In(zone).ZoneBounds()
	return []time.Time{change.UTC()}, true
}

// offset is by how much the clocks of a zone are ahead of UTC.
func offset(at time.Time, zone *time.Location) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}
