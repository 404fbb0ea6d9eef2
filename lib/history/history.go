// Package history keeps the snapshots of datasets from one look to the next,
// so that ZFS is asked only for those of datasets where something changed.
//
// It promises to tell nothing that ZFS would not: a dataset is known by its
// guid and not by its name, and what is known of it counts as long as its
// Stamp is the same. A book that cannot be read, or that is not certain to be
// of this clock, is empty. It runs no commands and opens no files.
package history

import (
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Stamp is what ZFS tells of a dataset without listing its snapshots. It
// differs once a snapshot was taken, destroyed, renamed or received.
type Stamp struct {
	// Load is the pool's load_guid, another one after each import: meanwhile
	// the pool may have been where snapshots_changed is not known.
	Load uint64
	// Changed is snapshots_changed, in seconds since 1970. 0: never.
	Changed int64
	// Name stands for the dataset's name, by which its snapshots are listed:
	// another dataset may have had it at that moment.
	Name uint64
	// Origin stands for the dataset's origin: zfs promote moves snapshots.
	Origin uint64
}

const (
	// settled is how old a change must be before a look at it counts: later
	// changes within the same second could not be told from it.
	settled = 3 * time.Second
	// certain is how long a book counts before all is listed again.
	certain = 24 * time.Hour
	// steps is by how much the clock may fall behind the machine's uptime, as
	// it does when it is slowed down. More is a step back: what happened then
	// may bear the time of something older.
	steps = time.Second
)

// Clock is a moment: the time of day, and how long the machine has been
// running.
type Clock struct {
	Now time.Time
	Up  time.Duration
}

// Book holds what is known of datasets. It is not safe for concurrent use.
type Book struct {
	entries  map[dataset.GUID]entry
	verified time.Time     // when all was listed last
	refused  time.Time     // when ZFS did not know snapshots_changed
	booted   time.Duration // since 1970, by the clock of then or of a later note: the latest
	dirty    bool
}

type entry struct {
	Stamp
	snapshots []dataset.Version
}

// New returns a book in which nothing is known.
func New() *Book { return &Book{entries: map[dataset.GUID]entry{}} }

func (c Clock) booted() time.Duration { return time.Duration(c.Now.UnixNano()) - c.Up }

// Certain reports whether the book counts: it was written with all that there
// was, not longer than a day ago, and the clock has not gone back since.
func (b *Book) Certain(c Clock) bool {
	return recent(b.verified, c.Now) && c.booted() > b.booted-steps
}

// Refused reports whether ZFS was found not to know snapshots_changed.
func (b *Book) Refused(c Clock) bool { return recent(b.refused, c.Now) }

func recent(at, now time.Time) bool { return !at.IsZero() && !at.After(now) && now.Sub(at) < certain }

// Refuse notes that ZFS does not know snapshots_changed.
func (b *Book) Refuse(c Clock) {
	*b = Book{entries: map[dataset.GUID]entry{}, refused: c.Now, dirty: true}
}

// Begin forgets all: what is noted now is all that there is.
func (b *Book) Begin(c Clock) {
	*b = Book{entries: map[dataset.GUID]entry{}, verified: c.Now, booted: c.booted(), dirty: true}
}

// Find returns the snapshots of a dataset, oldest first, if they are known.
// They belong to the book.
func (b *Book) Find(ds dataset.GUID, s Stamp) ([]dataset.Version, bool) {
	e, ok := b.entries[ds]
	return e.snapshots, ok && e.Stamp == s
}

// Note keeps the snapshots of a dataset, which were listed after its stamp was
// read and not before began. They belong to the book from then on. A clock that
// was set forward meanwhile may be set back later: the book is not certain then.
func (b *Book) Note(ds dataset.GUID, s Stamp, began Clock, snapshots []dataset.Version) {
	b.booted = max(b.booted, began.booted())
	if s.Changed != 0 && !time.Unix(s.Changed, 0).Before(began.Now.Add(-settled)) {
		if _, known := b.entries[ds]; known {
			b.dirty = true
		}
		delete(b.entries, ds)
		return
	}
	b.entries[ds] = entry{s, snapshots}
	b.dirty = true
}

// Keep forgets the datasets that are gone.
func (b *Book) Keep(there map[dataset.GUID]bool) {
	for ds := range b.entries {
		if !there[ds] {
			delete(b.entries, ds)
			b.dirty = true
		}
	}
}

// Changed reports whether the book is to be written.
func (b *Book) Changed() bool { return b.dirty }
