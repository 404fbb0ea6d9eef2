// Package health says how well the backups are: one record for every job and
// dataset, which every command that shows the state prints.
//
// It is pure: the configuration, what the runs have left, what ZFS on this host
// says, and the time go in; the record comes out. It promises that a state is
// never better than what was proved: what is not known is not ok.
package health

import (
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// State is how a job or a dataset is, in a word.
type State string

// The states.
const (
	OK         State = "ok"          // the copy is as new as it should be
	Late       State = "late"        // the newest common snapshot is too old, or its time is not to be believed
	Failed     State = "failed"      // the last attempt failed, or was killed
	NotOffered State = "not-offered" // it was covered once, and the sender does not offer it now
	Never      State = "never"       // there is no copy at all
	Paused     State = "paused"      // a person stopped it
	Running    State = "running"     // a run is on, and nothing is wrong
)

// Level is how bad a state is, with the exit status of a monitoring plugin.
type Level int

// The levels.
const (
	Good     Level = 0
	Warning  Level = 1
	Critical Level = 2
	Unknown  Level = 3
)

// worse orders levels: not to know is worse than a warning, and better than to
// know that it is critical.
func worse(a, b Level) bool { return rank(a) > rank(b) }

func rank(l Level) int { return [...]int{Good: 0, Warning: 1, Critical: 3, Unknown: 2}[l] }

// Report is how everything is.
type Report struct {
	Made   progress.Time `json:"made"`
	Config string        `json:"config"`
	Level  Level         `json:"level"`
	// Notes are what concerns no single job: no daemon runs, or it has an old
	// configuration.
	Notes []string `json:"notes,omitempty"`
	Jobs  []Job    `json:"jobs"`
}

// Job is how a job is.
type Job struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	State State  `json:"state"`
	Level Level  `json:"level"`
	Why   string `json:"why,omitempty"` // in one line, the most general first; empty: it is ok
	// Daemon is what is wrong with the daemon that should run the job, and Trouble
	// what is wrong with the job as a whole. Why has both.
	Daemon  string `json:"daemon,omitempty"`
	Trouble string `json:"trouble,omitempty"`
	// Warn and Crit are the ages from which a copy is late, in seconds.
	Warn int64 `json:"warn"`
	Crit int64 `json:"crit"`
	// Age is that of the oldest of the copies, in seconds; nil: there is none
	// whose age is known.
	Age *int64 `json:"age,omitempty"`
	// Behind is how many snapshots the copies lack, of all datasets together; nil:
	// it is not known of each dataset.
	Behind *int `json:"behind,omitempty"`
	// BehindBytes is about what these hold; nil: it is not known of each dataset.
	BehindBytes *uint64        `json:"behind_bytes,omitempty"`
	Attempt     *progress.Time `json:"attempt,omitempty"`
	Success     *progress.Time `json:"success,omitempty"`
	Error       string         `json:"error,omitempty"` // of the last attempt
	Next        *progress.Time `json:"next,omitempty"`
	Broken      string         `json:"broken,omitempty"` // why clients cannot reach it
	Datasets    []Dataset      `json:"datasets"`
	Clients     []Client       `json:"clients,omitempty"`
	// Asides are the copies that were set aside: they take space until a person
	// destroys them.
	Asides []Aside `json:"asides,omitempty"`

	own verdict // without what is wrong with the daemon
}

// Dataset is how one dataset's copy is, of one client where the job serves.
type Dataset struct {
	Client string `json:"client,omitempty"`
	Source string `json:"source,omitempty"`
	Target string `json:"target,omitempty"`
	State  State  `json:"state"`
	Level  Level  `json:"level"`
	Why    string `json:"why,omitempty"`
	// Snapshot is the newest one that both sides have.
	Snapshot string         `json:"snapshot,omitempty"`
	GUID     dataset.GUID   `json:"guid,omitempty,string"`
	Created  *progress.Time `json:"created,omitempty"`
	Age      *int64         `json:"age,omitempty"`    // of Snapshot, in seconds, never negative
	Ahead    int64          `json:"ahead,omitempty"`  // seconds by which Created is in the future
	Behind   *int           `json:"behind,omitempty"` // nil: it is not known
	// BehindBytes is about what was written in the snapshots that are missing; nil:
	// that is not known.
	BehindBytes *uint64 `json:"behind_bytes,omitempty"`
	Error       string  `json:"error,omitempty"`
	// Verified is when the copy was last compared with its source; nil: never.
	// Differs says which snapshots are known to differ; empty: none. Unread says
	// why that is not known; empty: the last comparison came to a result.
	Verified *progress.Time `json:"verified,omitempty"`
	Differs  string         `json:"differs,omitempty"`
	Unread   string         `json:"unread,omitempty"`

	// Anew is when a run began to send it once more, because the copy was gone; nil:
	// never.
	Anew *progress.Time `json:"anew,omitempty"`
	// Aside is the name that the copy got that was set aside then; empty: it was gone.
	Aside string `json:"aside,omitempty"`
	// Goes is when the copy goes, as its source is gone; nil: it stays.
	Goes *progress.Time `json:"goes,omitempty"`

	gone bool // its source is, so that it cannot be compared
}

// Client is what a client of a serving job did.
type Client struct {
	Name string `json:"name"`
	// Last is when its last connection ended that did something; nil: never.
	Last    *progress.Time `json:"last,omitempty"`
	Streams int            `json:"streams"` // of that connection
	Error   string         `json:"error,omitempty"`
	Age     *int64         `json:"age,omitempty"` // of the oldest of its copies
	State   State          `json:"state"`
}
