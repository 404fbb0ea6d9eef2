package progress

import "time"

// Time is a moment that programs read: its JSON is RFC 3339 in UTC, in whole
// seconds. A moment that RFC 3339 cannot write is the nearest one that it can:
// a snapshot's creation comes from another host, and must not keep a display
// from being written.
type Time struct{ time.Time }

// At is the Time of a moment.
func At(t time.Time) Time { return Time{t} }

var (
	first = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	last  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	at := t.UTC().Truncate(time.Second)
	switch {
	case at.Before(first):
		at = first
	case at.After(last):
		at = last
	}
	return at.MarshalJSON()
}
