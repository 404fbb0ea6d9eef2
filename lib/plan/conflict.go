package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Reason is why a dataset does not move.
type Reason string

// The reasons.
const (
	UpToDate             Reason = "uptodate"              // not a conflict: the receiver has all
	NoSnapshots          Reason = "no-snapshots"          // the sender has nothing to send, and the receiver has nothing of it
	NotOffered           Reason = "not-offered"           // the job received it once, and the sender does not offer it any more
	Vanished             Reason = "vanished"              // not a failure: as NotOffered, and the configuration lets its copy go
	Renamed              Reason = "renamed"               // the source was renamed, and its copy could not be
	SourceEmpty          Reason = "source-empty"          // the job received it once, and the sender has no snapshot of it any more
	NoneWanted           Reason = "none-wanted"           // the sender has snapshots, and the job wants none of them
	NoneChosen           Reason = "none-chosen"           // the job's rules choose none of the sender's snapshots so far, and the receiver has nothing
	InitialRefused       Reason = "initial-refused"       // initial policy fail, and the receiver has nothing
	HasCopy              Reason = "has-copy"              // a sender that has only first copies is not needed: there is one
	Unrelated            Reason = "unrelated"             // no common guid
	Promoted             Reason = "promoted"              // another dataset of the sender has the base now: zfs promote or zfs rename
	Diverged             Reason = "diverged"              // the receiver went its own way since the base
	Modified             Reason = "modified"              // the receiver's data changed since the base
	OlderMissing         Reason = "older-missing"         // another job brought a newer snapshot before an older one of this job came
	NameTaken            Reason = "name-taken"            // a snapshot to come has the name of another
	NameTooLong          Reason = "name-too-long"         // a name that ZFS would refuse
	BadOptions           Reason = "options"               // the chain does not allow these send options
	KeyChanged           Reason = "key-changed"           // a raw copy whose encryption root is another dataset by now
	FeatureMissing       Reason = "feature-missing"       // the target's pool cannot take what the streams hold
	KeyNotLoaded         Reason = "key-not-loaded"        // plain data would be encrypted with a key that is not there
	PlaceholderEncrypted Reason = "placeholder-encrypted" // encryption stands in the way of a placeholder
	PartialParent        Reason = "partial-parent"        // a useless partial receive that has children
	NoSpace              Reason = "no-space"              // the target has no room for the stream
	ForeignPartial       Reason = "foreign-partial"       // a partial receive that is not this job's
	OtherPartial         Reason = "other-partial"         // a partial receive of what a sender that has each stream once does not bring
	ParentFailed         Reason = "parent-failed"         // the dataset above is missing or not whole
	NoPool               Reason = "no-pool"               // the receiver has no such pool, or has not imported it
	Illegal              Reason = "illegal"               // an end lists what no pool can hold
)

// Failure reports whether the reason means that something is left undone. A
// dataset that never had a snapshot, or one that is chosen, has nothing that
// could be done.
func (r Reason) Failure() bool { return r != UpToDate && r != HasCopy && r != Vanished && !r.Waits() }

// Waits reports whether the reason means that the dataset waits for its first
// snapshot that is sent.
func (r Reason) Waits() bool { return r == NoSnapshots || r == NoneChosen }

// nothing reports whether the reason means that the dataset has nothing to
// send: a placeholder can hold its place.
func (r Reason) nothing() bool { return r.Waits() || r == NoneWanted }

// Gone is the result for a target that a job has received, and that nothing of
// what the sender offers maps to now. NoCopy says why the copy is gone as well; empty:
// it is there.
func Gone(target, noCopy string) Result {
	c := conflict(NotOffered, "the job received it once, and now the sender does not offer its source, or the job's rules or its select leave it out")
	if noCopy != "" {
		c.Text += "; " + noCopy
	}
	return Result{Target: target, Conflict: c}
}

// Emptied makes a result whose source has no snapshot to send the failure that it
// is where the job has received it before. If there are others, the copy is gone.
// Stuck reports that a partial receive was to make place for what comes below, and
// stays now until a person has decided.
func (r *Result) Emptied() (stuck bool) {
	switch {
	case r.Conflict == nil:
	case r.Conflict.Reason == NoneChosen:
		stuck = r.vanishes()
		r.Conflict = conflict(NotOffered, "the job received it once, and the copy no longer exists; %s", r.Conflict.Text)
		r.Discard = ""
	case r.Conflict.Reason == NoSnapshots:
		r.Conflict.Reason = SourceEmpty
	}
	return stuck
}

// Says is why a result has no steps, and what becomes of a partial receive.
func (r *Result) Says() string {
	text := r.Note
	if r.Conflict != nil {
		text = r.Conflict.Text
	}
	switch {
	case r.Discard == "" || r.Conflict != nil && r.Conflict.Reason.Failure():
		return text
	case text == "":
		return r.Discard
	}
	return text + "; the partial receive is discarded: " + r.Discard
}

// vanishes reports whether the target is a partial receive that is discarded, and
// nothing comes in its place but what holds it.
func (r *Result) vanishes() bool {
	return r.partial && r.Discard != "" && r.Conflict != nil && r.Conflict.Reason == NoneChosen
}

// Block makes of what was to come below a target that stays not whole the failures
// that they are, and leaves out the placeholders.
func Block(results []Result, target string, why Reason) []Result {
	results = slices.DeleteFunc(results, func(r Result) bool {
		return r.Source == "" && len(r.Steps) > 0 && dataset.Within(r.Target, target)
	})
	for i := range results {
		if r := &results[i]; len(r.Steps) > 0 && r.missing && dataset.Within(r.Target, target) {
			r.Conflict, r.Steps = notWhole(target, why), nil
		}
	}
	return results
}

func notWhole(parent string, why Reason) *Conflict {
	return conflict(ParentFailed, "%q is missing or not whole: %s", parent, why)
}

// Promoted says of a result that lost its base where that is now. A source that
// is empty for that stays what it is: it can be forgotten. Nothing that is listed
// tells a promoted clone from a source that was renamed.
func (r *Result) Promoted(base dataset.Version, now string) {
	was := *r.Conflict
	reason := Promoted
	if was.Reason == SourceEmpty {
		reason = SourceEmpty
	}
	r.Conflict = conflict(reason, "the base %s is %s now: a clone was promoted on the source, or the source was renamed and another took its name; %s",
		base, now, was.Text)
	r.Conflict.copyReason = was.Reason
}

// MayBe says of a copy whose source is gone which dataset the source may be now: it
// has a snapshot of the copy.
func (r *Result) MayBe(source string, has dataset.Version) {
	r.Conflict.Text += fmt.Sprintf("; its source may be %q now, which has its snapshot %s", source, has)
}

// Vanishes makes of the result of a copy whose source is gone what it is while the
// configuration lets that go: no failure.
func (r *Result) Vanishes(why string) { r.Conflict = conflict(Vanished, "%s", why) }

// Stays says why a copy whose source is gone stays.
func (r *Result) Stays(why string) {
	r.Conflict.Text += "; vanished: keep does not let its copy go: " + why
}

// NotRenamed makes of a result what it is if the source was renamed and its copy
// keeps its name.
func (r *Result) NotRenamed(copied string, why error) {
	r.Conflict = conflict(Renamed, "the source was renamed, and its copy %q cannot be: %v", copied, why)
	r.Steps, r.Base, r.Discard = nil, nil, ""
}

// NotAside says of a conflict why the copy is not set aside.
func (r *Result) NotAside(why error) {
	r.Conflict.Text += fmt.Sprintf("; the copy is not set aside: %v", why)
}

// Conflict is why a dataset cannot go on, with both histories in words.
type Conflict struct {
	Reason Reason `json:"reason"`
	Text   string `json:"text"`

	copyReason Reason // see CopyReason
}

// CopyReason is what is wrong with the copy itself, wherever its base is now: of a
// Promoted one Unrelated or Diverged.
func (c *Conflict) CopyReason() Reason { return cmp.Or(c.copyReason, c.Reason) }

// Error makes a conflict an error.
func (c *Conflict) Error() string { return string(c.Reason) + ": " + c.Text }

func conflict(r Reason, format string, args ...any) *Conflict {
	return &Conflict{Reason: r, Text: fmt.Sprintf(format, args...)}
}

// history tells a list of versions in a few words: the oldest, the newest and
// how many.
func history(vs []dataset.Version) string {
	switch len(vs) {
	case 0:
		return "no snapshot"
	case 1:
		return vs[0].String()
	case 2:
		return vs[0].String() + ", " + vs[1].String()
	}
	return fmt.Sprintf("%s … %s (%d)", vs[0], vs[len(vs)-1], len(vs))
}

// named lists at most three versions, newest last.
func named(vs []dataset.Version) string {
	if len(vs) > 3 {
		return history(vs)
	}
	var names []string
	for _, v := range vs {
		names = append(names, v.String())
	}
	return strings.Join(names, ", ")
}
