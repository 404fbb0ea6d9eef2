package health

import (
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// judgeCopy judges one dataset. Whatever else is wrong, a copy that is older
// than Crit is critical, and so is none at all.
func judgeCopy(c Copy, f Facts, now time.Time) Dataset {
	d := Dataset{Client: c.Client, Source: c.Source, Target: c.Target, Behind: c.Behind, Error: c.Failed, State: OK}
	old := d.date(c.Common, f, now)
	switch {
	case c.Missing != "":
		d.State, d.Why = Failed, c.Missing
	case c.Gone != "":
		d.State, d.Why = NotOffered, c.Gone
	case c.Common != nil && c.Empty:
		d.State, d.Why = NotOffered, "it was covered once, and the source has no snapshot of it now"
	case c.Common == nil && c.Failed == "" && c.Empty:
		d.State, d.Why = Never, "there is no copy of it, and no snapshot"
	case c.Common == nil && c.Failed == "":
		d.State, d.Why = Never, "there is no copy of it"
	case c.Failed != "":
		d.State, d.Why = Failed, c.Failed
	case old > Good:
		d.State, d.Why = Late, lateness(c, now)
	}
	switch {
	case d.State == OK:
	case c.Common == nil || old == Critical:
		d.Level = Critical
	default:
		d.Level = Warning
	}
	if d.State == Failed && d.Age != nil && old > Good {
		d.Why += "; " + lateness(c, now)
	}
	return d
}

// date notes how old the copy is, and says how bad that is. A time in the
// future is never fresh: a clock is wrong, and the truth is not known.
func (d *Dataset) date(s *Snapshot, f Facts, now time.Time) Level {
	if s == nil {
		return Critical
	}
	created, age := progress.At(s.Created), int64(0)
	d.Snapshot, d.GUID = s.Name, s.GUID
	if s.Created.IsZero() {
		return Unknown
	}
	d.Created = &created
	passed := now.Sub(s.Created)
	if passed > 0 {
		age = seconds(passed)
	}
	d.Age = &age
	switch {
	case passed < -tolerance:
		d.Ahead = seconds(-passed)
		return Warning
	case passed > f.Crit:
		return Critical
	case passed > f.Warn:
		return Warning
	}
	return Good
}

// lateness says how old a copy is, and who seems to be at fault.
func lateness(c Copy, now time.Time) string {
	switch passed := now.Sub(c.Common.Created); {
	case c.Common.Created.IsZero():
		return "it is not known how old the copy is"
	case passed < 0:
		return "the newest common snapshot is dated " + Words(-passed) + " in the future: a clock is wrong"
	case c.Newest != nil && c.Newest.GUID == c.Common.GUID:
		return "the copy is " + Words(passed) + " old, and the source has no newer snapshot"
	default:
		return "the copy is " + Words(passed) + " old"
	}
}

// clients sums up the copies of each client.
func clients(f Facts, datasets []Dataset) (all []Client) {
	for _, id := range f.Serves {
		c := Client{Name: id, State: Never}
		worst := Good
		for _, s := range f.Sessions {
			if s.Client == id {
				c.Last, c.Streams, c.Error = moment(s.Ended), s.Streams, s.Error
			}
		}
		for _, d := range datasets {
			if d.Client != id && (d.Client != "" || len(f.Serves) > 1) {
				continue
			}
			if c.State == Never && d.State == OK {
				c.State = OK
			}
			if worse(d.Level, worst) {
				worst, c.State = d.Level, d.State
			}
			if d.Age != nil && (c.Age == nil || *d.Age > *c.Age) {
				c.Age = d.Age
			}
		}
		all = append(all, c)
	}
	return all
}

// DefaultLimits are the ages from which a copy is late, of a job that names
// none: some runs may fail, and a job without an interval is expected to run
// every day.
func DefaultLimits(interval time.Duration) (warn, crit time.Duration) {
	const hour = time.Hour
	if interval == 0 {
		return 26 * hour, 3 * 24 * hour
	}
	return max(3*interval, 2*hour), max(12*interval, 24*hour)
}
