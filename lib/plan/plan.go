// Package plan decides what one run of replication has to do.
//
// It is pure: versions of datasets and a few facts go in, steps or a typed
// conflict come out, and the same input always gives the same plan. It matches
// versions by guid alone, never by name, and promises that carrying out the
// steps one after the other gives the receiver every wanted snapshot of the
// sender from the base on, in order, without a rollback. It runs no command
// and asks for nothing: Needs tells what the caller has to find out before.
//
// For one dataset call One, for a run All, and a Queue orders the run.
package plan

import (
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Initial says what happens to a dataset that the receiver does not have.
type Initial string

// The initial policies. The zero value means MostRecent.
const (
	MostRecent Initial = "most_recent" // one full stream of the newest snapshot
	Every      Initial = "all"         // a full stream of the oldest, then all that follow
	Refuse     Initial = "fail"        // a conflict: somebody has to decide
)

// ParseInitial reads an initial policy. Empty means MostRecent.
func ParseInitial(s string) (Initial, error) {
	switch i := Initial(s); i {
	case "":
		return MostRecent, nil
	case MostRecent, Every, Refuse:
		return i, nil
	}
	return "", fmt.Errorf("initial policy %q is none of most_recent, all, fail", s)
}

// Policy is what a job's configuration says of all its datasets.
type Policy struct {
	Initial Initial
	Prefix  string // only snapshots whose name starts so are sent; the base may be any
	Rules   *Rules // what else a person wants of their names; nil: nothing
	Merge   bool   // one -I stream for a run of snapshots where that is possible

	// Once says that the sender has each stream once, and knows nothing of the
	// source besides: what a partial receive has of another one stays.
	Once bool

	Decrypt           bool // an encrypted dataset may be sent as plain text
	PlainPlaceholders bool // placeholders below an encrypted parent without a key get encryption=off

	PlainCopies bool // what is sent plain is received with encryption=off

	Clones bool // what is a clone on the source becomes one of its origin's copy

	// BookmarkLen is the length in bytes of the longest name, without dataset
	// and #, of a bookmark that protection will make on the sender; 0: none.
	BookmarkLen int
}

// Choice is what the policy says of the names of snapshots.
func (p *Policy) Choice() Choice { return Choice{Prefix: p.Prefix, Rules: p.Rules} }

// Input is one dataset. One and All read it and keep slices of Sender.
type Input struct {
	Source    string // the sender's dataset
	Target    string // where it goes
	Sender    []dataset.Version
	Encrypted bool                  // the source is encrypted
	KeyTarget string                // where the source's encryption root goes; empty: the source is one, or it goes nowhere
	Deferred  map[dataset.GUID]bool // sender snapshots marked by destroy -d (defer_destroy=on)
	Mine      Mine                  // what the job itself holds
	Send      dataset.SendOptions   // how this dataset would be sent
	Receiver  *Receiver             // nil: the target does not exist
	// Lacks names the pool features (zpool-features(7)) that the streams of
	// this dataset need and that the target's pool has not, as far as known.
	Lacks []string
	// Origin is the snapshot that the source is a clone of, if that is one of the
	// job's; nil: none is known.
	Origin *Origin
	// Illegal says what an end lists of the dataset that cannot be; empty:
	// nothing. Such a dataset is left alone.
	Illegal string
}

// Origin is a snapshot of another of the sender's datasets.
type Origin struct {
	Source  string
	Version dataset.Version
}

// Receiver is the state of a target dataset that exists.
type Receiver struct {
	Versions    []dataset.Version // its snapshots; bookmarks are ignored
	Placeholder bool              // zreplctl:placeholder=on with source local; counts only without snapshots
	Encrypted   bool
	KeyRoot     string               // its encryption root; empty: unknown
	Locked      bool                 // it is encrypted and its key is not loaded
	Children    bool                 // datasets stand below it
	Partial     *Partial             // receive_resume_token is set
	Copy        bool                 // it is noted as a copy
	Sent        *dataset.SendOptions // recorded send options of the chain; nil: none recorded
	Written     Written              // property written: since its newest snapshot
	WrittenBase Written              // property written@BASE, for the snapshot that Needs names
}

// Written is an amount of bytes that may be unknown, as its zero value is.
type Written struct {
	Known bool
	Bytes uint64
}

// WrittenBytes is a known amount.
func WrittenBytes(n uint64) Written { return Written{Known: true, Bytes: n} }

// Partial is a receive that was cut and can be resumed, from its token.
type Partial struct {
	To   dataset.GUID
	From dataset.GUID // 0: a full stream
	Of   string       // the dataset that it is of; empty: unknown
	Name string       // the snapshot's, without the dataset; empty: unknown
	// Unusable says why the token must not be used, where the caller knows:
	// refused by the sender, other send options. Empty: usable as far as known.
	Unusable string
	// Ours: the job holds the snapshot that it ends with, so that it began it,
	// whatever its prefix is now.
	Ours bool
	// Foreign says why it cannot be this job's, where the caller knows:
	// unreadable, or of a kind that is never sent.
	Foreign string
}

// StepKind is the kind of a step.
type StepKind string

// The kinds of step.
const (
	Full        StepKind = "full"
	Incremental StepKind = "incremental"
	Resume      StepKind = "resume"
	// Clone is a first stream that makes a clone of the copy of the source's origin.
	Clone       StepKind = "clone"
	Placeholder StepKind = "placeholder"
	// Rename gives the copy of a source that was renamed the target's name. It
	// is never a step that One or All plans.
	Rename StepKind = "rename"
	// Aside gives a copy in conflict a dated name, with all below it. It is never
	// a step that One or All plans, either.
	Aside StepKind = "aside"
)

// Step is one stream, or one placeholder to create.
type Step struct {
	Kind StepKind         `json:"kind"`
	From *dataset.Version `json:"from,omitempty"` // sender's version; nil for full, placeholder, rename, aside and the resume of a full
	To   *dataset.Version `json:"to,omitempty"`   // nil for placeholder, rename and aside
	// Brings holds the snapshots that the receiver has after this step and had
	// not before, oldest first; To is the last. More than one means send -I.
	Brings []dataset.Version `json:"brings,omitempty"`
	// Origin is the source's dataset that has From, if the stream makes a clone, and
	// Shares the receiver's snapshot with that guid.
	Origin string `json:"origin,omitempty"`
	Shares string `json:"shares,omitempty"`
	// Force: receive over a placeholder, with -F. Never set otherwise. Clear
	// the mark of the placeholder (zfs inherit) after it.
	Force bool `json:"force,omitempty"`
	// EncryptionOff: create this placeholder with encryption=off.
	EncryptionOff bool   `json:"encryption_off,omitempty"`
	Reason        string `json:"reason"`
}

// Compound reports whether the step is a send -I, of several snapshots.
func (s Step) Compound() bool { return len(s.Brings) > 1 }

// Initial reports whether the step gives the target its first snapshot, or
// makes it: what stands below waits until such a step is done.
func (s Step) Initial() bool { return s.From == nil || s.Origin != "" }

// Result is the plan for one dataset: steps, a conflict, or neither where the
// receiver has all there is.
type Result struct {
	Source   string    `json:"source,omitempty"` // empty for a placeholder
	Target   string    `json:"target"`
	Base     *Base     `json:"base,omitempty"`
	Steps    []Step    `json:"steps,omitempty"`
	Conflict *Conflict `json:"conflict,omitempty"`
	// Older are the snapshots that OlderMissing is about. Base is then the last
	// one that the job received, and Newest the newest common version.
	Older  []dataset.Version `json:"older,omitempty"`
	Newest *Base             `json:"newest,omitempty"`
	// Discard, where not empty, says why the partial receive on the target is
	// of no use. Throw it away first (zfs receive -A), read the target's state
	// again and call One again: Steps are what is likely to come of it.
	Discard string `json:"discard,omitempty"`

	// Note, where not empty, is what a person should know of a result without steps.
	Note string `json:"note,omitempty"`

	// Whole, where not empty, says why the first stream of a clone is a full one,
	// though the receiver takes clones.
	Whole string `json:"-"`

	missing bool   // the target is not there, or not whole
	partial bool   // it is what a cut full stream left
	sealed  bool   // it comes raw: encrypted, and without a key
	after   int    // 1 + the number of the input whose copy has to come first; 0: none
	alone   string // the first step's reason, without what is said of clones
}

// UpToDate reports whether there is nothing to do and nothing wrong.
func (r *Result) UpToDate() bool { return len(r.Steps) == 0 && r.Conflict == nil }

// Base is the newest version that both sides have.
type Base struct {
	Sender   dataset.Version `json:"sender"` // a snapshot where there is one of that guid
	Receiver dataset.Version `json:"receiver"`
}
