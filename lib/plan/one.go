package plan

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Needs names the receiver's snapshot for which the caller has to ask
// written@SNAPSHOT of the target and put it into Receiver.WrittenBase before
// One can decide: where snapshots that the sender does not know are newer than
// the base. Without it such a dataset counts as diverged.
func Needs(in Input) (snapshot dataset.Version, ok bool) {
	if in.Receiver == nil {
		return dataset.Version{}, false
	}
	sender, receiver := sorted(in.Sender), snapshots(sorted(in.Receiver.Versions))
	base, at := findBase(sender, receiver)
	if base == nil || at == len(receiver)-1 {
		return dataset.Version{}, false
	}
	return base.Receiver, true
}

// One plans one dataset. It looks at nothing but in and p; what a dataset's
// parents mean for it is All's part.
func One(in Input, p Policy) Result { return with(in, p, family{}) }

// with is One of a dataset that is a clone, or has some.
func with(in Input, p Policy, f family) Result {
	o := one{in: in, p: p, family: f, sender: sorted(in.Sender)}
	o.r = Result{Source: in.Source, Target: in.Target}
	if in.Receiver != nil {
		o.receiver = snapshots(sorted(in.Receiver.Versions))
	}
	o.r.partial = o.partialFirst() && !in.Receiver.Placeholder
	o.r.missing = in.Receiver == nil || o.r.partial
	o.r.sealed = in.Encrypted && in.Send.Raw
	o.plan()
	if len(o.r.Steps) > 0 && o.r.Conflict == nil {
		o.r.Conflict = o.checkTakes()
	}
	if o.r.Conflict != nil {
		o.r.Steps = nil
	}
	return o.r
}

// one is the work on one dataset; its lists are in order of createtxg.
type one struct {
	in Input
	p  Policy
	family
	sender   []dataset.Version // snapshots and bookmarks
	receiver []dataset.Version // snapshots
	r        Result
}

func (o *one) plan() {
	if o.in.Illegal != "" {
		o.r.Conflict = conflict(Illegal, "%s", o.in.Illegal)
		return
	}
	base, at := findBase(o.sender, o.receiver)
	o.r.Base = base // to be protected also where nothing can be sent onto it
	if o.refuse(o.checkOlder(base, at)) {
		return
	}
	if o.refuse(o.checkTarget()) || o.refuse(o.checkOptions()) {
		return
	}
	switch {
	case len(snapshots(o.sender)) == 0:
		o.r.Conflict = conflict(NoSnapshots, "%s", o.nothingToSend())
	case base != nil:
		o.incremental(at)
	case len(o.receiver) > 0:
		o.r.Conflict = conflict(Unrelated, "no snapshot in common: the source has %s, the target has %s%s",
			o.senderHistory(), history(o.receiver), o.unlike())
	case o.r.missing, o.placeholder():
		o.initial()
	default:
		o.r.Conflict = conflict(Unrelated, "the target exists and has no snapshot, and is no placeholder; the source has %s%s",
			o.senderHistory(), o.below())
	}
}

func (o *one) refuse(c *Conflict) bool {
	if c != nil {
		o.r.Conflict = c
	}
	return c != nil
}

func (o *one) placeholder() bool {
	return o.in.Receiver != nil && o.in.Receiver.Placeholder && len(o.receiver) == 0
}

// partialFirst: the target is what a cut first stream left. One that would have made
// a clone has a base, which the source may no longer begin from: without any snapshot
// it is a first one all the same.
func (o *one) partialFirst() bool {
	return o.in.Receiver != nil && o.in.Receiver.Partial != nil && len(o.receiver) == 0
}

// initial plans for a target without snapshots.
func (o *one) initial() {
	wanted := o.wantedAfter(0)
	switch {
	case len(wanted) == 0:
		o.nothingWanted()
	case o.p.Initial == Refuse:
		o.r.Conflict = conflict(InitialRefused, "the target has nothing yet, the source has %s, and the initial policy is fail",
			o.senderHistory())
	case o.placeholder() && (o.in.Receiver.Encrypted || o.in.Encrypted):
		o.r.Conflict = conflict(PlaceholderEncrypted, "the target is a placeholder and %s: ZFS cannot receive over it; destroy the placeholder by hand",
			o.encryptedSide())
	default:
		o.startInitial(wanted)
	}
}

// nothingWanted says why nothing is sent to a target that has nothing. What is
// left there of a stream of ours goes: nobody would ever finish it.
func (o *one) nothingWanted() {
	if !o.waits() {
		o.r.Conflict = conflict(NoneWanted, "%s", o.nothingToSend())
		return
	}
	o.r.Conflict = conflict(NoneChosen, "the source has %s, and none of these is sent: names must %s%s", o.senderHistory(), o.p.Choice(), o.marked())
	if o.checkPartial() != nil {
		return
	}
	if o.resumeAt(nil, 0); o.r.Discard != "" {
		o.refuse(o.checkDiscard())
	}
}

// checkDiscard refuses to discard what a cut full stream left if that has other
// datasets below it, or the sender cannot know of what use it is.
func (o *one) checkDiscard() *Conflict {
	if o.p.Once {
		return conflict(OtherPartial, "the target has a partial receive, which stays for the job's next run: %s", o.r.Discard)
	}
	if !o.r.missing || !o.in.Receiver.Children {
		return nil
	}
	return conflict(PartialParent, "%s, and it cannot be discarded because of the datasets below it: destroy the target by hand",
		o.r.Discard)
}

func (o *one) startInitial(wanted []dataset.Version) {
	if o.refuse(o.checkPartial()) {
		return
	}
	at := o.resumeAt(wanted, o.begunFrom())
	if at < 0 {
		if o.r.Discard != "" && o.refuse(o.checkDiscard()) {
			return
		}
		at = o.firstOf(wanted)
		wanted, at = slices.Clone(wanted[at:]), 0 // the steps keep nothing else
		first := Step{Kind: Full, To: &wanted[at], Brings: wanted[at : at+1], Force: o.placeholder()}
		o.share(&first)
		o.r.alone = o.why(o.initialReason(first.To))
		first.Reason = o.r.alone + o.sharing(first)
		o.step(first)
	} else {
		o.step(o.resumeFirst(Step{Kind: Resume, To: &wanted[at], Brings: wanted[at : at+1], Force: o.placeholder()}))
	}
	o.chain(&wanted[at], o.due(wanted[at+1:]), "follows")
	o.refuse(o.checkNames())
}

// firstOf is which of wanted the first stream brings.
func (o *one) firstOf(wanted []dataset.Version) int {
	if o.p.Initial == Every && !o.p.Choice().NewestOnly() {
		return 0
	}
	if i := slices.IndexFunc(wanted, func(v dataset.Version) bool { return o.origins[v.GUID] }); i >= 0 {
		return i
	}
	return len(wanted) - 1
}

func (o *one) initialReason(first *dataset.Version) string {
	switch {
	case o.placeholder():
		return "the target is a placeholder"
	case o.p.Initial == Every && !o.p.Choice().NewestOnly():
		return "the target does not exist; all snapshots, the oldest first"
	case o.origins[first.GUID]:
		return "the target does not exist; the oldest snapshot of which a clone is made, and what follows"
	}
	return "the target does not exist; the newest snapshot"
}

// incremental plans for a target whose snapshot number at is the base.
func (o *one) incremental(at int) {
	newer := o.receiver[at+1:]
	from := &o.r.Base.Sender
	wanted := o.wantedAfter(from.CreateTXG)
	if c := o.checkOrder(o.due(wanted)); o.refuse(c) {
		return
	}
	if len(wanted)+len(newer) > 0 && o.refuse(o.checkChanged(newer)) {
		return
	}
	foreign := o.checkPartial()
	switch {
	case o.fitsNone():
		o.r.Conflict = conflict(NoneWanted, "the source has %s, and the name of none starts with %q", o.senderHistory(), o.p.Prefix)
		return
	case len(wanted) == 0 && foreign != nil:
		return // a person's seed, perhaps, which is in nobody's way
	case len(wanted) == 0:
		o.noteUnchosen()
		o.resumeAt(nil, from.GUID) // what a cut stream left is of no use any more
		return
	case o.refuse(foreign):
		return
	}
	reason := "newer than the base " + from.String()
	if len(newer) > 0 {
		reason += fmt.Sprintf(", onto %s of the target, which changed nothing", named(newer))
	}
	if i := o.resumeAt(wanted, from.GUID); i >= 0 {
		o.step(Step{Kind: Resume, From: from, To: &wanted[i], Brings: wanted[i : i+1], Reason: "continues a cut stream"})
		from, wanted = &wanted[i], wanted[i+1:]
	}
	if due := o.due(wanted); len(due) < len(wanted) {
		reason += fmt.Sprintf("; %d between are passed over", len(wanted)-len(due))
		wanted = due
	}
	o.chain(from, wanted, o.why(reason))
	o.refuse(o.checkNames())
}

// why adds to the first step's reason that a partial receive goes first.
func (o *one) why(reason string) string {
	if o.r.Discard == "" {
		return reason
	}
	return reason + "; before that, the partial receive is discarded: " + o.r.Discard
}

// chain adds the steps that bring wanted one after the other onto from.
func (o *one) chain(from *dataset.Version, wanted []dataset.Version, reason string) {
	o.r.Steps = slices.Grow(o.r.Steps, o.streams(len(wanted)))
	for len(wanted) > 0 {
		n := 1
		if o.p.Merge && from.Kind == dataset.Snapshot {
			n = o.run(from, wanted)
		}
		o.step(Step{Kind: Incremental, From: from, To: &wanted[n-1], Brings: wanted[:n], Reason: reason})
		from, wanted = &wanted[n-1], wanted[n:]
	}
}

// streams guesses how many streams n snapshots take.
func (o *one) streams(n int) int {
	if o.p.Merge {
		return min(n, 1)
	}
	return n
}

// run counts how many of wanted one send -I from from brings without bringing
// anything that is not wanted.
func (o *one) run(from *dataset.Version, wanted []dataset.Version) int {
	n := 0
	for _, v := range o.after(from.CreateTXG) {
		switch {
		case v.Kind != dataset.Snapshot:
		case n < len(wanted) && v.GUID == wanted[n].GUID:
			n++
		default:
			return max(n, 1)
		}
	}
	return max(n, 1)
}

func (o *one) step(s Step) { o.r.Steps = append(o.r.Steps, s) }

// wantedAfter returns the sender's snapshots that are newer than txg and that
// the receiver is to have. One that is marked for deferred destruction would
// vanish under the chain as soon as its holds go. Mostly it wants all, and
// then no copy is made: there may be millions.
func (o *one) wantedAfter(txg uint64) []dataset.Version {
	later := o.after(txg)
	if !slices.ContainsFunc(later, func(v dataset.Version) bool { return v.Kind != dataset.Snapshot || !o.wanted(v) }) {
		return slices.Clip(later)
	}
	out := make([]dataset.Version, 0, len(later))
	for _, v := range later {
		if v.Kind == dataset.Snapshot && o.wanted(v) {
			out = append(out, v)
		}
	}
	return out
}

// due are those of wanted that are sent: all of them, or only the newest. What is
// passed over never comes: the next base is newer.
func (o *one) due(wanted []dataset.Version) []dataset.Version {
	if o.p.Choice().NewestOnly() && len(wanted) > 1 {
		return slices.Clone(wanted[len(wanted)-1:]) // the steps keep nothing else
	}
	return wanted
}

// after returns the sender's versions that are newer than txg.
func (o *one) after(txg uint64) []dataset.Version {
	i := sort.Search(len(o.sender), func(i int) bool { return o.sender[i].CreateTXG > txg })
	return o.sender[i:]
}

func (o *one) wanted(v dataset.Version) bool { return o.chosen(v) && !o.in.Deferred[v.GUID] }

func (o *one) chosen(v dataset.Version) bool {
	return v.Kind == dataset.Snapshot && o.p.Choice().Has(v.Name)
}

// waits reports whether a dataset of which nothing is sent waits for a snapshot
// that is: one may be chosen at any time.
func (o *one) waits() bool { return o.p.Choice().Waits(shortNames(o.sender)) }

// marked says, after the reason why nothing is sent, that something would be if
// it were not marked for destruction.
func (o *one) marked() string {
	if !slices.ContainsFunc(o.sender, o.chosen) {
		return ""
	}
	return "; those that do are marked for destruction"
}

// noteUnchosen says of a copy that is up to date that the rules choose none of the
// source's snapshots, though newer ones have the prefix: nothing fails for that.
func (o *one) noteUnchosen() {
	newer := func(v dataset.Version) bool {
		return v.Kind == dataset.Snapshot && strings.HasPrefix(v.Name, o.p.Prefix)
	}
	if o.p.Rules != nil && slices.ContainsFunc(o.after(o.r.Base.Sender.CreateTXG), newer) && !slices.ContainsFunc(o.sender, o.chosen) {
		o.r.Note = "the job's rules choose none of the source's snapshots now"
	}
}

// fitsNone reports whether the prefix is not that of the sender's snapshots.
func (o *one) fitsNone() bool {
	return !slices.ContainsFunc(o.sender, o.chosen) && !o.waits()
}
