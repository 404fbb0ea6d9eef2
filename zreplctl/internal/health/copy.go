package health

import (
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// judgeCopy judges one dataset. Whatever else is wrong, a copy that is older
// than Crit is critical, and so is none at all.
func judgeCopy(c Copy, f Facts, now time.Time) Dataset {
	d := Dataset{Client: c.Client, Source: c.Source, Target: c.Target, Behind: c.Behind, BehindBytes: c.BehindBytes, Error: c.Failed, Anew: moment(c.Anew), Aside: c.Aside, Goes: moment(c.Goes), State: OK}
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
	case c.Common == nil && c.Failed == "" && c.Waits:
		d.State, d.Why = Never, "there is no copy of it, and the job's rules choose none of its snapshots"
	case c.Common == nil && c.Failed == "":
		d.State, d.Why = Never, "there is no copy of it"
	case c.Failed != "":
		d.State, d.Why = Failed, c.Failed
	case old > Good:
		d.State, d.Why = Late, lateness(c, now)
	case c.Unproved:
		d.State, d.Why = Late, "how old the copy is will be known after the client's next run: the note of what arrived is lost"
	}
	switch {
	case d.State == OK:
	case d.State == Never && c.awaited(f, now):
		d.Why += " yet: it is " + Words(now.Sub(c.New)) + " old"
		if now.Sub(c.New) > longestGrace && !c.Waits { // a person has chosen to wait
			d.Level = Warning
		}
	case !c.Goes.IsZero() && c.Missing == "" && c.Common != nil:
		d.Level = Warning // it gets older until it goes
	case c.Unproved && c.Gone == "" && c.Missing == "" && old != Critical:
		d.Level = Unknown
	case c.Common == nil || old == Critical:
		d.Level = Critical
	default:
		d.Level = Warning
	}
	if d.State == Failed && d.Age != nil && old > Good {
		d.Why += "; " + lateness(c, now)
	}
	if c.Unproved {
		d.doubt(old)
	}
	d.compared(c)
	return d
}

// longestGrace bounds for how long a new dataset is not reported. A job that runs
// once a month may have weeks until then, but a person should know of it.
const longestGrace = 3 * 24 * time.Hour

// awaited reports whether a dataset is so new that no run need have brought its
// copy yet. If its client has no copy of anything, none may ever come.
func (c Copy) awaited(f Facts, now time.Time) bool {
	if c.New.IsZero() || now.Sub(c.New) > f.Warn || c.New.Sub(now) > Tolerance {
		return false
	}
	return slices.ContainsFunc(f.Datasets, func(other Copy) bool { return other.Client == c.Client && other.Common != nil })
}

// compared adds what comparing the copy with its source has found. A copy that
// differs is of no use, however new it is, and one that cannot be read may be of
// none.
func (d *Dataset) compared(c Copy) {
	d.Verified, d.Differs, d.Unread, d.gone = moment(c.Verified), c.Differs, c.Unread, c.Gone != ""
	if c.Unread != "" {
		d.add(Warning, c.Unread)
	}
	if c.Differs != "" {
		d.add(Critical, "it differs from its source, by a comparison "+c.Differs)
	}
}

// add adds a failure that no run has seen, before the others.
func (d *Dataset) add(l Level, why string) {
	if d.Why != "" {
		why += "; " + d.Why
	}
	d.Why = why
	if !worse(d.Level, l) {
		d.State, d.Level = Failed, l
	}
}

// doubt leaves out what was not proved: the copy has no such snapshot, perhaps,
// and is no younger.
func (d *Dataset) doubt(old Level) {
	d.Snapshot, d.GUID, d.Created = "", 0, nil
	if old == Good {
		d.Age = nil
	}
}

// date notes how old the copy is, and says how bad that is. A time in the
// future is never fresh: a clock is wrong, and the copy is at least as old as
// its hold is by the clock of this host.
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
	ahead := s.ahead(now)
	if ahead > 0 {
		d.Ahead, passed = seconds(ahead), s.held(now)
	}
	if passed > 0 {
		age = seconds(passed)
	}
	d.Age = &age
	switch {
	case passed > f.Crit:
		return Critical
	case passed > f.Warn, ahead > 0:
		return Warning
	}
	return Good
}

// ahead is how far in the future a snapshot is dated; 0: it is not, or clocks
// may differ by so much.
func (s *Snapshot) ahead(now time.Time) time.Duration {
	if d := s.Created.Sub(now); d > Tolerance {
		return d
	}
	return 0
}

// held is for how long this host has known a snapshot; 0: that is not known.
func (s *Snapshot) held(now time.Time) time.Duration {
	if s.Held.IsZero() {
		return 0
	}
	return max(0, now.Sub(s.Held))
}

// lateness says how old a copy is, and who seems to be at fault.
func lateness(c Copy, now time.Time) string {
	ahead, held := c.Common.ahead(now), c.Common.held(now)
	switch passed := now.Sub(c.Common.Created); {
	case c.Common.Created.IsZero():
		return "it is not known how old the copy is"
	case ahead > 0 && held > 0:
		return "the newest common snapshot is dated " + Words(ahead) + " in the future, and was here " + Words(held) + " ago: a clock is wrong"
	case ahead > 0:
		return "the newest common snapshot is dated " + Words(ahead) + " in the future: a clock is wrong"
	case c.Newest != nil && c.Newest.GUID == c.Common.GUID:
		return "the copy is " + Words(passed) + " old, and the source has no newer snapshot"
	case c.Waits:
		return "the copy is " + Words(passed) + " old, and the job's rules choose no snapshot of the source"
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
