package plan

import (
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// What is a clone on the source may become a clone of its origin's copy: it then
// shares that copy's blocks, and only what differs is sent. The origin's copy must
// have the snapshot by then, so that it comes first where it is sent in this run.

// shared is the receiver's snapshot that a copy may become a clone of, or why none.
type shared struct {
	origin Origin
	snap   string // the receiver's, with its dataset
	after  int    // as Result.after
	why    string // it is sent in full; empty: it is not
}

// family is what a dataset may become a clone of, and what may become its clones.
type family struct {
	shared  *shared               // nil: the source is no clone
	origins map[dataset.GUID]bool // its snapshots of which clones begin
}

// maxClones is how many clones of clones are followed.
const maxClones = 100

// sharer plans datasets by themselves, each after its origin.
type sharer struct {
	ins     []Input
	p       Policy
	results []Result
	at      map[string]int // by source
	origins map[string]map[dataset.GUID]bool
	having  map[dataset.GUID][]int // see copiesWith
	begun   []bool
	done    []bool
}

func oneByOne(ins []Input, p Policy) []Result {
	s := sharer{ins: ins, p: p, results: make([]Result, len(ins))}
	if p.Clones {
		s.at, s.begun, s.done = make(map[string]int, len(ins)), make([]bool, len(ins)), make([]bool, len(ins))
		for i := range ins {
			s.at[ins[i].Source] = i
		}
		s.findOrigins()
	}
	for i := range ins {
		s.plan(i, 0)
	}
	return s.results
}

func (s *sharer) plan(i, depth int) {
	if !s.p.Clones {
		s.results[i] = One(s.ins[i], s.p)
		return
	}
	if !s.begun[i] {
		s.begun[i] = true
		s.results[i] = with(s.ins[i], s.p, family{s.find(i, depth), s.origins[s.ins[i].Source]})
		s.done[i] = true
	}
}

// findOrigins finds the snapshots of which copies that are to begin become clones: a
// first stream of the newest one would leave them out.
func (s *sharer) findOrigins() {
	s.origins = map[string]map[dataset.GUID]bool{}
	for i := range s.ins {
		in := &s.ins[i]
		if in.Origin == nil || in.Encrypted || in.Receiver != nil && len(in.Receiver.Versions) > 0 {
			continue
		}
		j, offered := s.at[in.Origin.Source]
		if !offered || s.ins[j].Encrypted || dataset.Pool(s.ins[j].Target) != dataset.Pool(in.Target) {
			continue
		}
		if s.origins[in.Origin.Source] == nil {
			s.origins[in.Origin.Source] = map[dataset.GUID]bool{}
		}
		s.origins[in.Origin.Source][in.Origin.Version.GUID] = true
	}
}

// find is what input i may become a clone of; nil if its source is no clone.
func (s *sharer) find(i, depth int) *shared {
	in := &s.ins[i]
	if in.Origin == nil {
		return nil
	}
	found := &shared{origin: *in.Origin}
	j, offered := s.at[in.Origin.Source]
	switch {
	case !offered:
		found.why = "the job has no copy of that"
		return found
	case !s.begun[j] && depth < maxClones:
		s.plan(j, depth+1)
	}
	if !s.done[j] {
		found.why = fmt.Sprintf("it is a clone of a clone, more than %d deep", maxClones)
		return found
	}
	s.look(found, in, j)
	return found
}

// look finds the snapshot in the copy of the origin, which is input j.
func (s *sharer) look(found *shared, in *Input, j int) {
	o, guid := &s.ins[j], found.origin.Version.GUID
	switch {
	case in.Encrypted || o.Encrypted:
		found.why = "one of them is encrypted"
		return
	case dataset.Pool(in.Target) != dataset.Pool(o.Target):
		found.why = "their copies are in different pools"
		return
	}
	v, listed := byGUID(snapshots(o.Sender), guid)
	if !listed {
		found.why = "the source does not list that snapshot"
		return
	}
	found.origin.Version = v
	if found.in(o, in.Send) {
		return
	}
	for _, step := range s.results[j].Steps {
		if v, brings := byGUID(step.Brings, guid); brings {
			found.snap, found.after = v.Full(o.Target), j+1
			return
		}
	}
	// zfs promote has moved the snapshot, perhaps, and not on the receiver.
	for _, k := range s.copiesWith(guid) {
		if other := &s.ins[k]; dataset.Pool(other.Target) == dataset.Pool(in.Target) && found.in(other, in.Send) {
			return
		}
	}
	found.why = fmt.Sprintf("the copy %q does not have that snapshot", o.Target)
}

// in looks for the origin's snapshot in a copy, and reports whether that has it.
func (f *shared) in(o *Input, send dataset.SendOptions) bool {
	rcv := o.Receiver
	if rcv == nil {
		return false
	}
	v, has := byGUID(snapshots(rcv.Versions), f.origin.Version.GUID)
	if !has {
		return false
	}
	switch f.snap = v.Full(o.Target); {
	case !rcv.Copy:
		f.why = fmt.Sprintf("%q is not noted as a copy", o.Target)
	case rcv.Encrypted:
		f.why = fmt.Sprintf("%q is encrypted", o.Target)
	case rcv.Sent != nil && !send.Follows(*rcv.Sent):
		f.why = fmt.Sprintf("%q was received with send options %s, and now they are %s", o.Target, rcv.Sent, send)
	}
	return true
}

// copiesWith are the inputs whose copies have a snapshot.
func (s *sharer) copiesWith(guid dataset.GUID) []int {
	if s.having == nil {
		s.having = map[dataset.GUID][]int{}
		wanted := map[dataset.GUID]bool{}
		for i := range s.ins {
			if o := s.ins[i].Origin; o != nil {
				wanted[o.Version.GUID] = true
			}
		}
		for i := range s.ins {
			if s.ins[i].Receiver == nil {
				continue
			}
			for _, v := range s.ins[i].Receiver.Versions {
				if wanted[v.GUID] {
					s.having[v.GUID] = append(s.having[v.GUID], i)
				}
			}
		}
	}
	return s.having[guid]
}

// share makes of a full stream one that makes a clone.
func (o *one) share(s *Step) {
	if o.shared != nil && o.shared.why == "" && !s.Force {
		s.Kind, o.r.after = Clone, o.shared.after
		o.from(s)
	}
}

func (o *one) from(s *Step) {
	s.From, s.Origin, s.Shares = &o.shared.origin.Version, o.shared.origin.Source, o.shared.snap
}

// sharing says after a first step's reason what becomes of a clone.
func (o *one) sharing(s Step) string {
	switch {
	case o.shared == nil:
		return ""
	case s.Kind == Clone:
		return fmt.Sprintf("; the source is a clone, and the copy becomes one of %q", s.Shares)
	case o.shared.why != "":
		return o.r.inFull(o.shared.origin.Version.Full(o.shared.origin.Source), o.shared.why)
	}
	return o.r.inFull(o.shared.origin.Version.Full(o.shared.origin.Source), "the target is a placeholder")
}

func (r *Result) inFull(origin, why string) string {
	r.Whole = fmt.Sprintf("it is a clone of %q, and is sent in full: %s", origin, why)
	return "; " + r.Whole
}

// begunFrom is the guid that a cut first stream may have started from: that of the
// origin, if the target can still become a clone of that, or 0.
func (o *one) begunFrom() dataset.GUID {
	if o.shared == nil || o.shared.why != "" || o.shared.after > 0 || o.in.Receiver == nil || o.in.Receiver.Partial == nil {
		return 0
	}
	if guid := o.shared.origin.Version.GUID; o.in.Receiver.Partial.From == guid {
		return guid
	}
	return 0
}

// resumeFirst completes the step that continues a cut first stream.
func (o *one) resumeFirst(s Step) Step {
	s.Reason = "continues a cut full stream"
	if o.begunFrom() != 0 {
		o.from(&s)
		s.Reason = "continues a cut stream of a clone"
	}
	return s
}

// unshare makes full streams again of those that turn out not to make clones: what
// the origin's copy needs cannot come, or comes only after the clone.
func (f *forest) unshare(ins []Input) {
	if !f.p.Clones {
		return
	}
	at := make(map[string]int, len(ins)) // by source
	for i := range f.results {
		if f.results[i].Source != "" {
			at[f.results[i].Source] = i
		}
	}
	for i := range f.results {
		r := &f.results[i]
		if len(r.Steps) == 0 || r.Steps[0].Kind != Clone {
			continue
		}
		s := &r.Steps[0]
		if why := f.unshared(i, at); why != "" {
			s.Reason = r.alone + r.inFull(s.From.Full(s.Origin), why)
			s.Kind, s.From, s.Origin, s.Shares, r.after = Full, nil, "", "", 0
		}
	}
}

// unshared says why result i does not become a clone; empty: it does.
func (f *forest) unshared(i int, at map[string]int) string {
	r := &f.results[i]
	if host, where := f.host(r.Target); host.Encrypted {
		return fmt.Sprintf("%q is encrypted", where)
	}
	if r.after == 0 {
		return ""
	}
	j := at[r.Steps[0].Origin]
	o := &f.results[j]
	if len(o.Steps) == 0 {
		return fmt.Sprintf("%q cannot be sent", o.Source)
	}
	if host, where := f.host(o.Target); host.Encrypted {
		return fmt.Sprintf("%q is encrypted", where)
	}
	if f.waitsFor(j, i, at) {
		return fmt.Sprintf("the copy %q can only be made after this one", o.Target)
	}
	return ""
}

// maxWaits is how much is looked at to find out what waits for what.
const maxWaits = 1000

// waitsFor reports whether result i cannot begin before result on is done, or
// whether that would take too long to find out.
func (f *forest) waitsFor(i, on int, at map[string]int) bool {
	seen, open := map[int]bool{}, []int{i}
	for len(open) > 0 && len(seen) <= maxWaits {
		i, open = open[len(open)-1], open[:len(open)-1]
		if i == on {
			return true
		}
		if seen[i] {
			continue
		}
		seen[i] = true
		r := &f.results[i]
		for p := dataset.Parent(r.Target); p != ""; p = dataset.Parent(p) {
			if above, ok := f.at[p]; ok {
				open = append(open, above)
				break
			}
		}
		if r.after > 0 {
			open = append(open, at[r.Steps[0].Origin])
		}
	}
	return len(seen) > maxWaits
}
