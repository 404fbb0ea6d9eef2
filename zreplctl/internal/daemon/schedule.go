package daemon

import (
	"context"
	"time"
)

// glance is how often the wall clock is looked at. Timers stand still while
// the machine sleeps, and the clock may be set.
const glance = 20 * time.Second

// clock is a job's times, by the wall clock. The zero value is due at once.
type clock struct {
	interval time.Duration // 0: never by itself
	next     time.Time
}

// due tells whether a run is due, and otherwise how long to wait before
// looking again. A clock that was set back never makes a run wait longer than
// an interval.
func (c *clock) due(now time.Time) (bool, time.Duration) {
	if c.interval == 0 {
		return false, time.Hour
	}
	wait := c.next.Sub(now)
	if wait > c.interval {
		c.next = now.Add(c.interval)
		wait = c.interval
	}
	if wait <= 0 {
		return true, 0
	}
	return false, min(wait, glance)
}

// begun says that a run begins now. The next one is an interval after the one
// that was due; times that have passed meanwhile are left out, so that a
// machine that slept runs a job once and not once for each time it missed.
func (c *clock) begun(now time.Time) {
	if c.interval == 0 {
		return
	}
	c.next = c.next.Add(c.interval)
	if c.next.Before(now) || c.next.Sub(now) > c.interval {
		c.next = now.Add(c.interval)
	}
}

// schedule runs the job when it is due, and when it is told to.
func (j *job) schedule(ctx context.Context) {
	for {
		j.mu.Lock()
		due, wait := j.clock.due(wall())
		j.mu.Unlock()
		if due {
			j.run(ctx, new(followed))
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case f := <-j.asked:
			j.run(ctx, f)
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// wall is the time without the monotonic clock, which stands still while the
// machine sleeps.
func wall() time.Time { return time.Now().Round(0) }
