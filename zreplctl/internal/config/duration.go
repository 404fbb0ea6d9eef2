package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// units from the longest.
var units = []struct {
	name   string
	length time.Duration
}{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"min", time.Minute},
	{"m", time.Minute},
	{"s", time.Second},
}

// ParseDuration reads a duration of whole numbers with units, longest first:
// 90s, 10m, 1h30m, 1d, 2w. m and min are minutes.
func ParseDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, errors.New("empty duration")
	}
	var sum time.Duration
	last := time.Duration(1<<63 - 1)
	for rest := text; rest != ""; {
		digits := strings.TrimLeft(rest, "0123456789")
		number := rest[:len(rest)-len(digits)]
		after := strings.TrimLeft(digits, "abcdefghijklmnopqrstuvwxyz")
		unit := digits[:len(digits)-len(after)]
		n, err := strconv.ParseInt(number, 10, 64)
		switch {
		case number != "" && unit == "" && after == "":
			return 0, fmt.Errorf("%q has no unit: write %ss, %sm, %sh or %sd", text, number, number, number, number)
		case err != nil || unit == "":
			return 0, fmt.Errorf("%q is not a duration: write 90s, 10m, 1h30m or 1d", text)
		}
		length := unitLength(unit)
		if length == 0 {
			return 0, fmt.Errorf("%q: unknown unit %q: known are s, m, h, d, w", text, unit)
		}
		if length >= last {
			return 0, fmt.Errorf("%q: longer units come first, each once", text)
		}
		if n > int64(maxDuration/length) {
			return 0, fmt.Errorf("%q is too long: at most 10 years", text)
		}
		sum, last, rest = sum+time.Duration(n)*length, length, after
	}
	if sum > maxDuration {
		return 0, fmt.Errorf("%q is too long: at most 10 years", text)
	}
	return sum, nil
}

const maxDuration = 3650 * 24 * time.Hour

func unitLength(unit string) time.Duration {
	for _, u := range units {
		if u.name == unit {
			return u.length
		}
	}
	return 0
}

// FormatDuration writes whole seconds so that ParseDuration reads the same.
func FormatDuration(d time.Duration) string {
	if d < time.Second {
		return "0s"
	}
	var b strings.Builder
	for _, u := range units {
		if n := d / u.length; n > 0 && u.name != "min" {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.length
		}
	}
	return b.String()
}
