// Package pause keeps which jobs a person has paused, across restarts.
package pause

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// note is the file of a job that is paused.
type note struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // zero: until a person resumes it
}

// length is how long a pause with an end is to be.
func (n note) length() time.Duration { return n.Until.Sub(n.Since) }

const maxNote = 4 << 10

func name(job string) string { return job + ".paused" }

// Set pauses a job from now on, for a while, or until it is resumed if that is 0.
func Set(dir state.Dir, job string, now time.Time, length time.Duration) error {
	n := note{Since: now.Round(0).UTC()}
	if length > 0 {
		n.Until = n.Since.Add(length)
	}
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return dir.Write(name(job), append(text, '\n'))
}

func read(dir state.Dir, job string) (n note, ok bool) {
	if dir.IsNone() {
		return note{}, false
	}
	text, err := dir.Read(name(job), maxNote)
	return n, err == nil && json.Unmarshal(text, &n) == nil
}

// Clear resumes a job, and reports whether it was paused.
func Clear(dir state.Dir, job string, now time.Time) (was bool, err error) {
	was, _ = On(dir, job, now)
	return was, dir.Remove(name(job))
}

// On reports whether a job is paused, and until when; zero: until it is
// resumed. If that cannot be read, it is: a person may have made the file.
func On(dir state.Dir, job string, now time.Time) (on bool, until time.Time) {
	on, until, err := Look(dir, job, now)
	return on || err != nil, until
}

// Look is On with an error if it cannot be read whether the job is paused, for
// those who tell a person. A file whose content is damaged counts as a pause.
func Look(dir state.Dir, job string, now time.Time) (on bool, until time.Time, err error) {
	if dir.IsNone() {
		return false, time.Time{}, nil
	}
	text, err := dir.Read(name(job), maxNote)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, time.Time{}, nil
	case err != nil:
		return false, time.Time{}, fmt.Errorf("cannot read whether it is paused: %w", err)
	}
	var n note
	if json.Unmarshal(text, &n) != nil || n.Until.IsZero() {
		return true, time.Time{}, nil
	}
	until = n.Until
	if s := readSettled(dir, job, n); s.Ended {
		return false, n.Until, nil
	} else if s.counts(n, now) {
		until = s.At.Add(n.length())
	}
	// A clock that was set back makes no pause longer than it was meant to be.
	if longest := now.Add(n.length()); until.After(longest) {
		until = longest
	}
	return now.Before(until), until, nil
}
