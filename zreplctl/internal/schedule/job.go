package schedule

import "time"

// Tolerance is how far a clock may be set back without a job's last run
// counting as in the future.
const Tolerance = time.Minute

// Job is a job's times and what is known of its last run.
type Job struct {
	Times
	// Last is when the last run began, or from when on times are missed; zero:
	// it never ran.
	Last time.Time
	// Owed says that the last run was cut off, and is to be continued as soon as
	// it may.
	Owed bool

	// start is when the run after the one at from may start: it is asked for
	// far more often than it changes.
	start, from time.Time
}

// Adopt gives the job other times. What is known of its last run stays.
func (j *Job) Adopt(t Times, now time.Time) {
	was := j.None()
	j.Times, j.from = t, time.Time{}
	if (was || j.Last.IsZero()) && t.Cron != nil {
		j.Last = latest(j.Last, now)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// New returns a job at a moment. Runs are what is known of its last runs; one
// that is in the future was dated by a clock that was wrong.
//
// A job with an interval that never ran is due at once. One with a cron line is
// not: it has missed nothing.
func New(t Times, now time.Time, runs ...time.Time) Job {
	j := Job{Times: t}
	future := false
	for _, at := range runs {
		switch {
		case at.Sub(now) > Tolerance:
			future = true
		case at.After(j.Last):
			j.Last = at
		}
	}
	if j.Last.IsZero() && (future || t.Cron != nil) {
		j.Last = now
	}
	return j
}

// Look tells when the job has to start next, and whether that time has come.
// It corrects Last if the clock was set back, so that the job does not wait
// until it was right again.
func (j *Job) Look(now time.Time) (start time.Time, due bool) {
	if j.None() {
		return time.Time{}, false
	}
	if j.Last.Sub(now) > Tolerance {
		j.Last = now
	}
	if j.Last.IsZero() || j.Owed {
		start = now
		if j.Window != nil {
			start = j.Window.Opens(now, j.zone())
		}
		return start, !start.After(now)
	}
	if !j.from.Equal(j.Last) || j.from.IsZero() {
		j.start, j.from = j.Start(j.Last), j.Last
	}
	if start = j.start; start.After(now) || start.IsZero() {
		return start, false
	}
	if j.Window != nil && !j.Window.Has(now, j.zone()) { // it was missed
		return j.Window.Opens(now, j.zone()), false
	}
	return start, true
}

// Began says that a run begins now.
func (j *Job) Began(now time.Time) { j.Last, j.Owed = now, false }
