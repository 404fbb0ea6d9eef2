package listing

import (
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
)

// Sides is all that a plan is made of.
type Sides struct {
	Source, Target *List
	State          *State                                       // nil: nothing known
	Map            func(source string) (target string, ok bool) // nil: every dataset to its own name
	Send           dataset.SendOptions                          // an encrypted source is sent raw besides
	Decrypt        bool                                         // unless this says otherwise
}

// Plan plans all datasets of the source list that are mapped.
func (s *Sides) Plan(p plan.Policy) ([]plan.Result, error) {
	if s.State == nil {
		s.State = &State{}
	}
	p.Decrypt = s.Decrypt
	parents := s.parents()
	from := make(map[string]string, len(s.Source.Names))
	ins := make([]plan.Input, 0, len(s.Source.Names))
	deferred := s.deferred()
	for _, source := range s.Source.Names {
		target, ok := source, true
		if s.Map != nil {
			target, ok = s.Map(source)
		}
		if !ok {
			continue
		}
		if other, twice := from[target]; twice {
			return nil, fmt.Errorf("cannot plan %q: both %q and %q map to it", target, other, source)
		}
		from[target] = source
		in := s.input(source, target, parents)
		in.Deferred = deferred[source]
		ins = append(ins, in)
	}
	return plan.All(ins, s.there(parents), p), nil
}

// parents are all names with something below them in the target list: such a
// dataset exists, be it listed or not.
func (s *Sides) parents() map[string]bool {
	out := map[string]bool{}
	for _, name := range s.Target.Names {
		for p := dataset.Parent(name); p != "" && !out[p]; p = dataset.Parent(p) {
			out[p] = true
		}
	}
	return out
}

func (s *Sides) there(parents map[string]bool) plan.Lookup {
	return func(target string) (plan.Host, bool) {
		f := s.State.of(target)
		return plan.Host{Encrypted: f.encrypted, KeyLoaded: !f.keyGone}, s.Target.Has(target) || parents[target]
	}
}

func (s *Sides) input(source, target string, parents map[string]bool) plan.Input {
	in := plan.Input{Source: source, Target: target, Sender: s.Source.Versions(source), Send: s.Send}
	in.Encrypted = s.State.of(source).encrypted
	in.Send.Raw = in.Send.Raw || in.Encrypted && !s.Decrypt
	if root := s.State.of(source).keyRoot; root != "" && root != source {
		in.KeyTarget = root
		if s.Map != nil {
			in.KeyTarget, _ = s.Map(root)
		}
	}
	if !s.Target.Has(target) {
		return in
	}
	f := s.State.of(target)
	in.Receiver = &plan.Receiver{
		Versions:    s.Target.Versions(target),
		Placeholder: f.placeholder,
		Encrypted:   f.encrypted,
		KeyRoot:     f.keyRoot,
		Locked:      f.encrypted && f.keyGone,
		Children:    parents[target],
		Sent:        f.sent,
		Written:     f.written,
		Partial:     f.token.partial(in.Send),
	}
	if base, ok := plan.Needs(in); ok {
		in.Receiver.WrittenBase = f.since[base.Name]
	}
	return in
}

func (t *token) partial(send dataset.SendOptions) *plan.Partial {
	if t == nil {
		return nil
	}
	p := &plan.Partial{To: t.to, From: t.from, Of: t.of, Name: t.name, Foreign: t.bad}
	if t.bad == "" {
		p.Unusable = t.stream.Unresumable(send)
	}
	return p
}

var unknown facts

func (s *State) of(ds string) *facts {
	if f := s.facts[ds]; f != nil {
		return f
	}
	return &unknown
}

// deferred are the guids of the source's marked snapshots, by dataset.
func (s *Sides) deferred() map[string]map[dataset.GUID]bool {
	out := map[string]map[dataset.GUID]bool{}
	for full := range s.State.deferred {
		ds, kind, short := dataset.Split(full)
		vs := s.Source.Versions(ds)
		i := slices.IndexFunc(vs, func(v dataset.Version) bool { return v.Kind == kind && v.Name == short })
		if i < 0 {
			continue
		}
		if out[ds] == nil {
			out[ds] = map[dataset.GUID]bool{}
		}
		out[ds][vs[i].GUID] = true
	}
	return out
}
