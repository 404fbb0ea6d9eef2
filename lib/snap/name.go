package snap

import (
	"fmt"
	"strings"
	"time"
)

// DefaultFormat is that of the time in a snapshot's name: as in package time,
// with 000 for the milliseconds.
const DefaultFormat = "20060102_150405_000"

// Name is the name after the @ of a snapshot taken at t.
func Name(prefix, format string, t time.Time) string {
	parts := strings.Split(format, "000")
	for i, part := range parts {
		parts[i] = t.Format(part)
	}
	return prefix + strings.Join(parts, fmt.Sprintf("%03d", t.Nanosecond()/1e6))
}
