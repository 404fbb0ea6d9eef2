// Package transfer holds what the two ends of a replication say to each
// other: which datasets exist, what to send, what to protect.
//
// The types are the JSON of the calls if a connection joins the ends, and
// plain values otherwise. They decide nothing and check nothing: an end that
// serves strangers checks every name itself.
package transfer

import (
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
)

// Protocol is the version of the calls below; both ends say theirs in Hello.
const Protocol = 1

// Hello opens a connection. Run is the same on all connections of one run, and
// empty for one who only looks, which does not end an older run. Job is the
// client's: one identity is that of one job, whose cursor it moves.
type Hello struct {
	Protocol int    `json:"protocol"`
	Run      string `json:"run"`
	Job      string `json:"job,omitempty"`
}

// Welcome answers Hello.
type Welcome struct {
	Protocol int    `json:"protocol"`
	Client   string `json:"client"` // what the server takes the client for
	Role     string `json:"role"`   // the serving job's: source or sink
	ZFS      string `json:"zfs,omitempty"`
	// Compress names the ways in which streams on the connection may be
	// compressed: a source does it, a sink undoes it.
	Compress []string `json:"compress,omitempty"`
}

// ListRequest asks an end for the datasets of its job.
type ListRequest struct {
	// Datasets limits the answer to these; empty means all.
	Datasets []string `json:"datasets,omitempty"`
	// Thorough asks for the holds of this client, too (slow).
	Thorough bool `json:"thorough,omitempty"`
	// Fresh has all snapshots looked at, whatever is known of them.
	Fresh bool `json:"fresh,omitempty"`
}

// Dataset is one filesystem or volume with its versions. An end may spread a
// long history over several values with the same name, one behind the other.
type Dataset struct {
	Name      string            `json:"name"`
	Volume    bool              `json:"volume,omitempty"`
	Encrypted bool              `json:"encrypted,omitempty"`
	KeyRoot   string            `json:"keyRoot,omitempty"` // its encryption root, if that is one of the job's datasets
	Versions  []dataset.Version `json:"versions,omitempty"`
	// Illegal says why the far side's word on this dataset cannot be true;
	// nothing else of it is to be used then. It is never sent.
	Illegal string `json:"-"`

	// Of a sender.
	Send dataset.SendOptions `json:"send,omitzero"`  // how it would be sent
	Held NameSet             `json:"held,omitempty"` // snapshots under the client's hold (thorough only)
	// Told are the properties that were set at the dataset or received by it;
	// nil: the sender's job tells none.
	Told Properties `json:"told,omitzero"`
	// Origin is the snapshot that the dataset is a clone of, if that is one that
	// the job offers.
	Origin Snap `json:"origin,omitzero"`
	// Mark is how long the name of a cursor bookmark is (without dataset and
	// #) where the sender's job has the cursor be one; 0: it is a hold.
	Mark  int     `json:"mark,omitempty"`
	Marks NameSet `json:"marks,omitempty"` // the client's cursor bookmarks (short names)
	// Keep asks for the base to be kept as a bookmark when it moves, by Holds.Keep.
	Keep bool    `json:"keep,omitempty"`
	Kept NameSet `json:"kept,omitempty"` // the client's bookmarks of earlier bases (short names)
	// Common is what the sender has noted of Holds.Common: a guid, CommonNone or
	// CommonUnknown. Empty: it keeps no such note, and wants none.
	Common string `json:"common,omitempty"`

	// Of a receiver.
	Placeholder bool     `json:"placeholder,omitempty"`
	Partial     *Partial `json:"partial,omitempty"`
	Written     uint64   `json:"written,omitempty"` // bytes since the newest snapshot
	Available   uint64   `json:"available,omitempty"`
	Recorded    string   `json:"recorded,omitempty"` // dataset.SendOptions of the chain, written; "" unknown
	KeyLoaded   bool     `json:"keyLoaded,omitempty"`
	Above       bool     `json:"above,omitempty"` // not the job's own: it only stands above
	// Marked: it still bears a placeholder's mark, whatever it is now.
	Marked bool `json:"marked,omitempty"`
	// Copy: the receiver made it and noted so; only then properties are set.
	Copy bool `json:"copy,omitempty"`
	// Settled is the sum of the Properties that were last dealt with; empty:
	// what the sender tells is to be looked at.
	Settled string `json:"settled,omitempty"`
	// Aside is the name that it had before it was set aside: it is no copy now,
	// and nothing else is said of it and of what is below it.
	Aside string `json:"aside,omitempty"`

	// Taken is when the newest snapshot was taken, in seconds since 1970; 0: it is
	// not known. A sink tells it, and in Held the holds of the restore, of what it
	// gives back.
	Taken uint64 `json:"taken,omitempty"`
}

// What a sender has noted of a dataset's newest common version, if that is no
// guid.
const (
	CommonNone    = "none"    // the receiver said that there is none
	CommonUnknown = "unknown" // nothing was noted, or the note is lost
)

// NothingTaken stands for Settled where the receiver takes no properties and
// has nothing to take back.
const NothingTaken = "-"

// Properties are those that a sender tells of a dataset.
type Properties struct {
	Set map[string]string `json:"set,omitempty"`
	// Untold names properties that are set, but whose values cannot be told: a
	// receiver leaves them as they are.
	Untold []string `json:"untold,omitempty"`
	// Sum stands for all of them: the same, the same sum.
	Sum string `json:"sum,omitempty"`
}

// Partial is a receive that was cut and may be resumed.
type Partial struct {
	Token string       `json:"token"`
	To    dataset.GUID `json:"to,omitempty"`
	From  dataset.GUID `json:"from,omitempty"` // 0: a full stream
	Of    string       `json:"of,omitempty"`   // the dataset that it is of
	Name  string       `json:"name,omitempty"` // and the snapshot's name
	Raw   bool         `json:"raw,omitempty"`

	Large      bool `json:"large,omitempty"`
	Embedded   bool `json:"embedded,omitempty"`
	Compressed bool `json:"compressed,omitempty"`

	Bytes uint64 `json:"bytes,omitempty"` // received so far
	Bad   string `json:"bad,omitempty"`   // why the token is nothing that a sender here would take
}

// Unresumable says why a sender with options o does not resume the partial
// receive; empty: it does. zfs send -t takes its flags from the token, so that
// the token must not ask for more than the job does.
func (p Partial) Unresumable(o dataset.SendOptions) string {
	if p.Raw == o.Raw && (o.Raw || (o.LargeBlocks || !p.Large) && (o.Embedded || !p.Embedded) && (o.Compressed || !p.Compressed)) {
		return ""
	}
	was := dataset.SendOptions{Raw: p.Raw, LargeBlocks: p.Large, Embedded: p.Embedded, Compressed: p.Compressed}
	return fmt.Sprintf("it was sent with options %s, and now they are %s", was, o)
}

// SendRequest asks for one stream of one dataset.
type SendRequest struct {
	Dataset string              `json:"dataset"`
	From    dataset.Version     `json:"from,omitzero"` // zero: a full stream
	To      dataset.Version     `json:"to"`
	Via     []Brought           `json:"via,omitempty"`    // all snapshots between, oldest first, which come, too (-I)
	Token   string              `json:"token,omitempty"`  // resume this receive instead
	Volume  bool                `json:"volume,omitempty"` // as listed; refused when the stream is of another type
	Send    dataset.SendOptions `json:"send,omitzero"`    // as listed; refused when the sender's job says otherwise
	// Origin is the dataset whose snapshot From is, if that is not Dataset: the stream
	// makes a clone of it.
	Origin string `json:"origin,omitempty"`
	// Compress asks for the stream to be compressed in a way that Welcome names.
	Compress string `json:"compress,omitempty"`
}

// Brought is a snapshot that a stream brings.
type Brought struct {
	Name string       `json:"name"` // without the dataset and the @
	GUID dataset.GUID `json:"guid"`
}

// SendReply stands before the stream.
type SendReply struct {
	// What the stream is, which for a token only the sender finds out.
	From dataset.GUID `json:"from,omitempty"` // 0: full
	To   dataset.GUID `json:"to"`
	Name string       `json:"name"` // the snapshot that it ends with
}

// ReceiveRequest says how one stream is to be received.
type ReceiveRequest struct {
	Dataset string              `json:"dataset"`
	Volume  bool                `json:"volume,omitempty"`
	From    dataset.GUID        `json:"from,omitempty"` // 0: full
	To      dataset.GUID        `json:"to"`
	Name    string              `json:"name"`          // the snapshot that it ends with
	Via     []Brought           `json:"via,omitempty"` // those that it brings before, oldest first
	Resume  bool                `json:"resume,omitempty"`
	Over    bool                `json:"over,omitempty"` // onto a placeholder
	Send    dataset.SendOptions `json:"send,omitzero"`
	// Told are the properties of the source, of which the receiver takes what
	// its own configuration names; for a first stream only.
	Told Properties `json:"told,omitzero"`
	// Origin is the receiver's snapshot with the guid From, if the stream makes a
	// clone of it.
	Origin Snap `json:"origin,omitzero"`
}

// First reports whether the stream begins a copy.
func (r ReceiveRequest) First() bool { return r.From == 0 || r.Origin != (Snap{}) }

// Received tells what became of a stream. What counts is the guid that the
// receiver has, which Holds.Confirm looks up; this only says what to expect.
type Received struct {
	Bytes uint64 `json:"bytes"`
	// Unset says which properties could not be set, and why, though the data
	// arrived; empty: all are as asked.
	Unset string `json:"unset,omitempty"`
}

// Snap names one snapshot of a dataset together with its identity.
type Snap struct {
	Dataset string       `json:"dataset"`
	Name    string       `json:"name"`
	GUID    dataset.GUID `json:"guid"`
}

// Full is the snapshot's whole name.
func (s Snap) Full() string { return s.Dataset + "@" + s.Name }

// Holds asks an end to put its own hold on some snapshots and then to let go
// of others. Nothing of a dataset is let go where a hold on it failed.
type Holds struct {
	Hold    []Snap `json:"hold,omitempty"`
	Release []Snap `json:"release,omitempty"`
	// Past is let go of beside the rest, and not behind Hold: what took its
	// place is held since an earlier call.
	Past []Snap `json:"past,omitempty"`
	// Bookmark makes a cursor bookmark of each before it is let go.
	Bookmark []Snap `json:"bookmark,omitempty"`
	// Keep makes a bookmark of each, which was the base, before it is let go, if
	// that can be done. Kept ones of the same dataset in Forget make room before.
	Keep []Snap `json:"keep,omitempty"`
	// Forget names bookmarks of this client that are to go.
	Forget []Snap `json:"forget,omitempty"`
	// Unmark names received datasets that still bear a placeholder's mark.
	Unmark []string `json:"unmark,omitempty"`
	// Common tells a sender the newest version of a dataset that the receiver
	// has, by the receiver's own word; a guid of 0: none.
	Common []Snap `json:"common,omitempty"`
	// Confirm has the guid of each snapshot to hold looked up first.
	Confirm bool `json:"confirm,omitempty"`
	// Together says that these may be all snapshots of their names, so that a
	// look at what is around them is worth its commands.
	Together bool `json:"together,omitempty"`
}

// StraysRequest asks a sender for what protects datasets outside its rules.
type StraysRequest struct {
	Release bool `json:"release,omitempty"` // let go of the holds
	Keep    bool `json:"keep,omitempty"`    // and leave bookmarks in their place
}

// Strays is the answer: how many there are, and between ends on one host their
// names, which a client has no business to know.
type Strays struct {
	Count int      `json:"count"`
	Kept  int      `json:"kept,omitempty"` // others, whose holds stay because no bookmark can be made
	Names []string `json:"names,omitempty"`
}

// Problems maps a dataset to what went wrong with it.
type Problems map[string]Problem

// Problem is what went wrong: the text for people, the kind for programs.
type Problem struct {
	Text string     `json:"text"`
	Code fault.Kind `json:"code,omitempty"` // empty: none that programs act on
}

// ProblemOf makes an error a value.
func ProblemOf(err error) Problem { return Problem{Text: err.Error(), Code: fault.Of(err)} }

// Err makes the value an error again; nil without a problem.
func (p Problem) Err() error {
	if p == (Problem{}) {
		return nil
	}
	return fault.With(fault.Parse(string(p.Code)), errors.New(p.Text))
}

// Placeholder asks for an empty dataset that only carries others.
type Placeholder struct {
	Dataset string `json:"dataset"`
	Plain   bool   `json:"plain,omitempty"` // with encryption=off
}

// Rename asks for a copy to have another name, with all below it. From is its
// newest snapshot that its source has, which the receiver holds.
type Rename struct {
	From Snap   `json:"from"`
	To   string `json:"to"`
}

// Aside asks for a copy to be set aside for a conflict, with all below it. Copy is
// its newest snapshot.
type Aside struct {
	Copy   Snap   `json:"copy"`
	Reason string `json:"reason"` // one of dataset.AsideReasons
}

// MaxSizes is how many sizes are asked for at once.
const MaxSizes = 32

// Name asks for one dataset.
type Name struct {
	Dataset string `json:"dataset"`
}

// Takes is what a receiver can take.
type Takes struct {
	// Lacks names, by pool, the features (zpool-features(7)) that a stream may
	// need and that are not enabled there. A pool that is not known is left out.
	Lacks map[string][]string `json:"lacks,omitempty"`
	// Properties: some of what a sender tells is taken.
	Properties bool `json:"properties,omitempty"`
	// PlainCopies and PlainPlaceholders are the receiver's own configuration:
	// what it stores without encryption below an encrypted dataset.
	PlainCopies       bool `json:"plainCopies,omitempty"`
	PlainPlaceholders bool `json:"plainPlaceholders,omitempty"`
	// Renames: a copy may be renamed as its source was.
	Renames bool `json:"renames,omitempty"`
	// Asides are the conflicts for which a copy may be set aside.
	Asides []string `json:"asides,omitempty"`
	// Clones: what is a clone on the source may become one of its origin's copy.
	Clones bool `json:"clones,omitempty"`
}

// Settings asks a receiver to deal with what a sender tells of the source of
// one dataset.
type Settings struct {
	Dataset string     `json:"dataset"`
	Told    Properties `json:"told"`
}

// Applied says what became of Settings.
type Applied struct {
	// Problems: not everything could be set or taken back.
	Problems Problems `json:"problems,omitempty"`
	// Left names, by dataset, what was left as somebody set it there.
	Left map[string]string `json:"left,omitempty"`
}

// UsesRequest asks a sender which of these features streams of datasets need.
type UsesRequest struct {
	Datasets []string `json:"datasets"`
	Features []string `json:"features"`
}

// Uses names features that the streams of a dataset need, for certain or by
// what its properties say, which past data need not obey.
type Uses struct {
	Surely []string `json:"surely,omitempty"`
	Likely []string `json:"likely,omitempty"`
}
