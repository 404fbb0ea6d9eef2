package progress

import (
	"encoding/json"
	"testing"
	"time"
)

// Every moment can be written, and read again.
func TestTime(t *testing.T) {
	for at, want := range map[time.Time]string{
		time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC):                       `"2026-01-02T03:04:05Z"`,
		time.Unix(300_000_000_000, 0):                                     `"9999-12-31T23:59:59Z"`,
		time.Unix(1<<62, 0):                                               `"9999-12-31T23:59:59Z"`,
		time.Unix(-300_000_000_000, 0):                                    `"0000-01-01T00:00:00Z"`,
		time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -3600*9)): `"9999-12-31T23:59:59Z"`,
	} {
		text, err := json.Marshal(At(at))
		if err != nil || string(text) != want {
			t.Errorf("%v: %s, %v, not %s", at, text, err, want)
			continue
		}
		var back Time
		if err := json.Unmarshal(text, &back); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
