package frame

import "time"

// limiter holds a rate in bytes a second.
type limiter struct {
	rate   int64
	credit float64
	last   time.Time
}

// A tenth of a second's worth may be sent at once.
const limitBurst = 0.1

func newLimiter(rate int64) *limiter { return &limiter{rate: rate} }

// allowance says how much may be sent now, or how long to wait.
func (l *limiter) allowance(now time.Time) (int, time.Duration) {
	if l.rate <= 0 {
		return MaxData, 0
	}
	burst := max(1, float64(l.rate)*limitBurst)
	if l.last.IsZero() {
		l.credit = burst
	} else {
		l.credit = min(burst, l.credit+now.Sub(l.last).Seconds()*float64(l.rate))
	}
	l.last = now
	// A tenth of a burst is waited for, so that frames do not get tiny.
	least := max(1, burst/10)
	if l.credit >= least {
		return int(min(l.credit, MaxData)), 0
	}
	return 0, max(time.Millisecond, time.Duration((least-l.credit)/float64(l.rate)*float64(time.Second)))
}

// spend takes what was sent from the credit.
func (l *limiter) spend(n int) { l.credit -= float64(n) }
