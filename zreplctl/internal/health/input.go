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
	// Orphans are jobs that are not in the configuration any more and left hooks to
	// run.
	Orphans []string
}

// Daemon is what is known of the daemon.
type Daemon struct {
	Running bool
	Stale   bool // its configuration is not what the file says now
	Died    bool // it did not end in order, and none runs since
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
	Alone   bool      // Success is of a run while there was no daemon, or before such runs that failed
	NoLink  bool      // the last run got no connection, or lost it
	Begun   time.Time // a run began and has not ended in order; zero: none
	Running bool      // it is still on
	Owes    bool      // its hooks of after_snapshot or after are to run still
	Next    time.Time
	Paused  bool      // by a person
	Until   time.Time // of the pause; zero: until it is resumed

	// Former is the name that the job seems to have had before; empty: none.
	Former string

	// Problem says why ZFS could not be asked. What there is is then not
	// known.
	Problem string
	// Broken says why clients cannot reach the job.
	Broken   string
	Datasets []Copy
	Asides   []Aside
	Sessions []Session
	// Seeding is since when an import of a file has not brought all of it; zero:
	// there is none.
	Seeding time.Time
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
	// Behind is how many snapshots the copy lacks; nil: that is not known.
	Behind *int
	// BehindBytes is what was written in the snapshots that the copy lacks, about;
	// nil: that is not known.
	BehindBytes *uint64
	// Unproved reports that Common was only sent, as far as is known: the copy is
	// as old as that, or older.
	Unproved bool
	// Gone says why it is not covered now though it was once.
	Gone string
	// Failed says why the last run that saw it could not go on.
	Failed string
	// Earlier reports that a run before the last saw what Gone and Failed say, and
	// that the last one saw nothing of the dataset.
	Earlier bool
	// Empty reports that the sending side is here and has no snapshot of it, or
	// none with the job's prefix.
	Empty bool
	// Waits reports that the sending side has snapshots of it, and that the job's
	// rules choose none of these.
	Waits bool
	// New is when the dataset was created or first seen, if there is no copy of it;
	// zero: that is not known, or was not asked for.
	New time.Time
	// Anew is when a run began to send it once more, because the copy was gone;
	// zero: never.
	Anew time.Time
	// Aside is the name that it got when it was set aside for that; empty: it was gone.
	Aside string
	// Goes is when the copy goes, as its source is gone; zero: it stays.
	Goes time.Time
	// Missing says why it is not there at all.
	Missing string
	// Verified is when it was last compared with its source; zero: never. Differs
	// says which snapshots are known to differ; empty: none. Unread says why
	// it is not known whether any does; empty: the last comparison came to a result.
	Verified time.Time
	Differs  string
	Unread   string
}

// Snapshot is one snapshot.
type Snapshot struct {
	Name    string
	GUID    dataset.GUID
	Created time.Time
	// Held is when it was first held here, by this host's clock; zero: that was
	// not asked for, or nothing holds it.
	Held time.Time
}

// Session is the last connection of a client that did something.
type Session struct {
	Client  string
	Ended   time.Time
	Streams int
	Error   string
}
