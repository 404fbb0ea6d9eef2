package progress

import "time"

// Time is a moment that programs read: its JSON is RFC 3339 in UTC, in whole
// seconds.
type Time struct{ time.Time }

// At is the Time of a moment.
func At(t time.Time) Time { return Time{t} }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) { return t.UTC().Truncate(time.Second).MarshalJSON() }
