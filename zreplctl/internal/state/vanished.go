package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Vanished is the note of the copies of a job whose sources are gone, by target, and
// for how long. Only a run that has seen all that both ends list writes it.
type Vanished struct {
	dir  Dir
	name string
}

// Vanishing is for how long the source of one copy is gone. Times are in seconds
// since 1970.
type Vanishing struct {
	GUID  dataset.GUID `json:"guid,string"` // of the copy's newest snapshot when that began
	First int64        `json:"first"`       // when it was noticed
	Seen  int64        `json:"seen"`        // when a run saw it last
	// Counted is for how long runs have seen it so, in seconds: the clock may have
	// jumped. See Count.
	Counted int64 `json:"counted"`
	// Warned is when a run said first that the copy goes on the day Shown, or earlier than
	// was said before; 0: none has.
	Warned int64 `json:"warned,omitempty"`
	Shown  int64 `json:"shown,omitempty"`
	// Barred is that something kept the copy when its time had come.
	Barred bool `json:"barred,omitempty"`
	// Listed is how many copies the job had when the source was missed first.
	Listed int `json:"listed,omitempty"`
	// Begun is the guid of the copy itself once a run began to destroy it; 0: none did.
	Begun dataset.GUID `json:"begun,omitempty,string"`
	// Last is the guid of its newest snapshot at that time.
	Last dataset.GUID `json:"last,omitempty,string"`
	// Bytes is what it referred to at that time.
	Bytes uint64 `json:"bytes,omitempty,string"`
}

const (
	// countParts is in how many parts, by as many runs at least, a time is counted.
	countParts = 8
	// clockBack is how far a clock may go back without being wrong.
	clockBack = 5 * time.Minute
	// unsetYear is the year before which a clock was not set yet.
	unsetYear = 2020

	maxVanished = 64 << 20 // bytes
)

// Count counts the time since the run before, of which at most an eighth of what
// keep is counts: a clock that jumps ahead lets nothing go. If it goes back, it was
// wrong before or is now, and all begins anew. A clock that is not set says nothing.
func (v *Vanishing) Count(now time.Time, keep time.Duration) {
	at := now.Unix()
	passed := at - v.Seen
	switch {
	case now.Year() < unsetYear:
		return
	case v.First == 0, passed < -int64(clockBack/time.Second), at < v.First-int64(clockBack/time.Second):
		v.First, v.Counted = at, 0
	default:
		v.Counted += min(max(0, passed), int64(keep/time.Second)/countParts)
	}
	v.Seen = at
}

// Look is what a run does that sees the source gone: it counts, and shows the day. That
// is shown anew if it is earlier than before, as after keep was made shorter; and if no
// run has looked for long: then the note may be from a backup.
func (v *Vanishing) Look(now time.Time, keep time.Duration) {
	was := *v
	_, due := was.Goes(time.Unix(was.Seen, 0), keep)
	v.Count(now, keep)
	if now.Year() < unsetYear {
		return
	}
	at, gap := now.Unix(), now.Sub(time.Unix(was.Seen, 0))
	goes, _ := v.Goes(now, keep)
	stale := gap > warning(keep)+warnedSlack && !(due && was.Warned == was.Seen)
	if stale || v.Warned == 0 || v.Warned > at || v.First > was.First || goes.Unix() < v.Shown-int64(warnedSlack/time.Second) {
		v.Warned, v.Shown = at, goes.Unix()
	}
	v.Shown = max(v.Shown, goes.Unix())
}

// warnedSlack is how far two days, or the times of two runs, may differ without meaning
// anything.
const warnedSlack = time.Hour

// warning is for how long a day is shown at least before the copy goes.
func warning(keep time.Duration) time.Duration { return max(24*time.Hour, keep/countParts) }

// When is Goes, and not before the day was shown for long enough.
func (v *Vanishing) When(now time.Time, keep time.Duration) (at time.Time, due bool) {
	at, due = v.Goes(now, keep)
	if shown := time.Unix(v.Warned, 0).Add(warning(keep)); shown.After(at) {
		at = shown
	}
	return at, due && v.Warned != 0 && !at.After(now)
}

// Rest lets the time until now pass without being counted. No day is shown then.
func (v *Vanishing) Rest(now time.Time) {
	v.Warned = 0
	if now.Year() >= unsetYear {
		v.Seen = now.Unix()
	}
}

// Goes is when the copy goes if runs go on to see it so; Due reports whether that is
// now. The clock alone must say so, too.
func (v *Vanishing) Goes(now time.Time, keep time.Duration) (at time.Time, due bool) {
	at = now.Add(time.Duration(max(0, int64(keep/time.Second)-v.Counted)) * time.Second)
	if first := time.Unix(v.First, 0).Add(keep); first.After(at) {
		at = first
	}
	return at, v.First != 0 && now.Year() >= unsetYear && !at.After(now)
}

// Vanished returns the note of a job.
func (d Dir) Vanished(job string) Vanished { return Vanished{d, job + ".vanished"} }

// Read returns what is noted. A damaged note says nothing: the time begins anew.
func (v Vanished) Read() (map[string]Vanishing, error) {
	all := map[string]Vanishing{}
	if v.dir.IsNone() {
		return all, nil
	}
	text, err := v.dir.Read(v.name, maxVanished)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read for how long sources are gone: %w", err)
	}
	if json.Unmarshal(text, &all) != nil || all == nil {
		return map[string]Vanishing{}, nil
	}
	return all, nil
}

// Write replaces what is noted. The job's lock is held.
func (v Vanished) Write(all map[string]Vanishing) error {
	if v.dir.IsNone() {
		return errors.New("cannot note for how long sources are gone: there is no statedir")
	}
	if len(all) == 0 {
		return v.dir.Remove(v.name)
	}
	text, err := clean.JSON(all)
	if err == nil {
		err = v.dir.Write(v.name, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot note for how long sources are gone: %w", err)
	}
	return nil
}

// Forget ends the time of some copies.
func (v Vanished) Forget(targets []string) error {
	all, err := v.Read()
	if err != nil || len(all) == 0 {
		return err
	}
	n := len(all)
	for _, target := range targets {
		delete(all, target)
	}
	if len(all) == n {
		return nil
	}
	return v.Write(all)
}

// Drop removes the note.
func (v Vanished) Drop() error {
	if v.dir.IsNone() {
		return nil
	}
	return v.dir.Remove(v.name)
}
