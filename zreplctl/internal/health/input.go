package health

import (
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Input is all that a Report is made from.
type Input struct {
	Now    time.Time
	Config string // the path of the configuration
	Daemon Daemon
	Jobs   []Facts
}

// Daemon is what is known of the daemon.
type Daemon struct {
	Running bool
	Stale   bool // its configuration is not what the file says now
}

// Facts are what is known of a job.
type Facts struct {
	Name, Type string
	Interval   time.Duration
	Warn, Crit time.Duration
	Limited    bool // a person has set these limits
	// Copies reports whether the job makes or serves copies; the others only
	// take or destroy snapshots.
	Copies bool
	// Serves is whom the job serves.
	Serves []string

	Attempt time.Time // the end of the last run; zero: none is known
	Success time.Time // the end of the last run that did all of it
	OK      bool      // whether the last run did all of it
	Stopped bool      // by a signal: it says nothing
	Error   string
	Begun   time.Time // a run began and has not ended in order; zero: none
	Running bool      // it is still on
	Next    time.Time

	// Problem says why ZFS could not be asked. What there is is then not
	// known.
	Problem string
	// Broken says why clients cannot reach the job.
	Broken   string
	Datasets []Copy
	Sessions []Session
}

// Copy is what is known of a dataset's copy.
type Copy struct {
	Client         string
	Source, Target string
	// Common is the newest snapshot that is proved to be on both sides; nil:
	// there is none.
	Common *Snapshot
	// Newest is the newest snapshot on the sending side, if that is here.
	Newest *Snapshot
	Behind int
	// Gone says why it is not covered now though it was once.
	Gone string
	// Failed says why the last run that saw it could not go on.
	Failed string
	// Empty reports that the sending side is here and has no snapshot of it.
	Empty bool
	// Missing says why it is not there at all.
	Missing string
}

// Snapshot is one snapshot.
type Snapshot struct {
	Name    string
	GUID    dataset.GUID
	Created time.Time
}

// Session is the last connection of a client that did something.
type Session struct {
	Client  string
	Ended   time.Time
	Streams int
	Error   string
}
