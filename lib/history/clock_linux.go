package history

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now is this moment. The uptime includes times of suspend, as the time of day
// does.
func Now() Clock {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return Clock{Now: time.Now(), Up: time.Duration(t.Nano())}
}
