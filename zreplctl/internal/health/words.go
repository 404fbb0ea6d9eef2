package health

import (
	"fmt"
	"time"
)

// Words is a length of time as a person says it: 40s, 3h, 5 days, 5 months.
func Words(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d < 60*day:
		return fmt.Sprintf("%d days", d/day)
	case d < 730*day:
		return fmt.Sprintf("%d months", d/(30*day))
	}
	return fmt.Sprintf("%d years", d/(365*day))
}

// SentAnew says that a copy was sent once more, and why.
func (d Dataset) SentAnew(now time.Time) string {
	switch {
	case d.Anew == nil:
		return ""
	case d.Aside != "":
		return fmt.Sprintf("the copy was set aside as %q and was sent anew %s", d.Aside, Since(d.Anew.Time, now))
	}
	return "the copy was gone and was sent anew " + Since(d.Anew.Time, now)
}

// Since says how long ago a moment is, or that it is in the future.
func Since(t, now time.Time) string {
	if t.Sub(now) > Tolerance {
		return Words(t.Sub(now)) + " in the future"
	}
	return Words(now.Sub(t)) + " ago"
}

// GoesOn says that a copy goes because its source is gone, and when.
func GoesOn(at time.Time) string {
	return "its source is gone, and its copy goes on " + at.UTC().Format(time.DateOnly) + ", as vanished: keep says"
}
