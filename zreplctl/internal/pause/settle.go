package pause

import (
	"encoding/json"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// A pause that was made while the clock was ahead lies in the future once the clock
// is right, and each look at it would move its end on. A pause that was made while
// the clock was right does so as well while the clock is behind, as on a host without
// a battery before it has the time. So when such a pause was first seen is kept beside
// it: it tells the end until the clock reaches the pause, and the pause stays as it
// was made.

// settled is what is kept beside a pause.
type settled struct {
	Since time.Time `json:"since"` // the pause's
	At    time.Time `json:"at"`    // when it was first seen in the future
	Ended bool      `json:"ended,omitempty"`
}

const (
	unset     = 2020 // years before are no time of this program
	tolerance = time.Minute
	// late is how long after its end a pause is seen to end. A clock that is later
	// was set: what was seen before tells nothing.
	late = 48 * time.Hour
)

func settledName(job string) string { return job + ".settled" }

// Settle lets a pause begin when it is first seen in the future, and end in time.
func Settle(dir state.Dir, job string, now time.Time) error {
	n, ok := read(dir, job)
	if !ok || n.Until.IsZero() || now.Year() < unset || !n.ahead(now) {
		return nil
	}
	s := readSettled(dir, job, n)
	switch counts := s.counts(n, now); {
	case s.Ended, counts && now.Before(s.At.Add(n.length())):
		return nil
	case counts:
		s.Ended = true
	default:
		s = settled{Since: n.Since, At: now.Round(0).UTC()}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return dir.Write(settledName(job), append(text, '\n'))
}

// ahead reports whether a pause lies in the future.
func (n note) ahead(now time.Time) bool { return now.Before(n.Since.Add(-tolerance)) }

// counts reports whether the end of a pause is told by when it was first seen.
func (s settled) counts(n note, now time.Time) bool {
	return !s.At.IsZero() && n.ahead(now) && !now.Before(s.At.Add(-tolerance)) && now.Before(s.At.Add(n.length()+late))
}

// readSettled is what is kept beside a pause; zero: nothing, or it is of another one.
func readSettled(dir state.Dir, job string, n note) (s settled) {
	text, err := dir.Read(settledName(job), maxNote)
	if err != nil || json.Unmarshal(text, &s) != nil || !s.Since.Equal(n.Since) {
		return settled{}
	}
	return s
}
