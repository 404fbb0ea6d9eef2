package replicate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// A dataset that was renamed on the source goes to another target, while its
// copy stays where it was. The guids of snapshots tell: what has the snapshot
// that the job holds on the copy is what the copy was made of. Where the receiver
// lets it be, the copy is renamed, too, and nothing is sent again.

// rename is a copy that is to have another name, with all below it.
type rename struct {
	from   string
	was    string          // its source's name
	base   dataset.Version // its newest that the source has
	with   string          // the copy above that takes it along; empty: none
	bar    error           // why what stands below it may not be renamed with it
	result plan.Result     // what comes after it
}

// renames finds the copies that may follow their sources, parents first. A copy
// whose source is still offered stays. One in conflict is in conflict under its new
// name, too. ZFS renames nothing across pools: what another pool has is no source
// under a new name.
func (j *Job) renames(v *view, lost map[string]string) (all []rename) {
	fresh, below := v.fresh(), v.inOrder()
	for _, from := range slices.Sorted(maps.Keys(lost)) {
		in, base := v.successor(from, fresh)
		if in == nil || dataset.Pool(from) != dataset.Pool(in.Target) || dataset.Within(in.Target, from) ||
			dataset.Pool(lost[from]) != dataset.Pool(in.Source) {
			continue
		}
		policy := j.Policy
		policy.BookmarkLen = v.mark
		all = append(all, rename{from: from, was: lost[from], base: base, result: plan.One(v.moved(*in, from, below), policy)})
	}
	return all
}

// lost are the copies whose source is known and is not offered any more, each with
// that. One that a run had renamed, and was killed before it could write that down,
// is known by the base that was noted.
func (j *Job) lost(v *view, results []plan.Result) map[string]string {
	offered, taken := map[string]bool{}, map[string]bool{}
	for name := range v.sources {
		offered[name] = true
	}
	for _, d := range v.others {
		offered[d.Name] = true
	}
	for name := range v.outside {
		offered[name] = true
	}
	for _, p := range results {
		if p.Source != "" {
			offered[p.Source], taken[p.Target] = true, true
		}
	}
	lost, missing := map[string]string{}, map[dataset.GUID]string{}
	for name, source := range j.Covered {
		t, there := v.targets[name]
		switch {
		case source == "" || offered[source] || t.Above:
		case !there:
			for _, g := range j.Noted[name] {
				missing[g] = source
			}
		case len(t.Versions) > 0 && !taken[name]:
			lost[name] = source
		}
	}
	if len(missing) == 0 {
		return lost
	}
	for name, t := range v.targets {
		if _, listed := j.Covered[name]; listed || taken[name] || t.Above {
			continue
		}
		for _, s := range t.Versions {
			if source := missing[s.GUID]; source != "" {
				lost[name] = source
			}
		}
	}
	return lost
}

// fresh are the inputs that have no copy, by the guids of all that their sources
// have. A guid that two of them have says nothing.
func (v *view) fresh() map[dataset.GUID]*plan.Input {
	at := map[dataset.GUID]*plan.Input{}
	for i := range v.inputs {
		in := &v.inputs[i]
		if _, there := v.targets[in.Target]; there || in.Illegal != "" {
			continue
		}
		for _, s := range in.Sender {
			if other, seen := at[s.GUID]; seen && other != in {
				at[s.GUID] = nil
			} else {
				at[s.GUID] = in
			}
		}
	}
	return at
}

// successor is the input that has the newest snapshot of a copy that any has.
func (v *view) successor(copied string, fresh map[dataset.GUID]*plan.Input) (*plan.Input, dataset.Version) {
	for _, s := range slices.Backward(v.targets[copied].Versions) {
		if in, has := fresh[s.GUID]; has && s.Kind == dataset.Snapshot {
			return in, s
		}
	}
	return nil, dataset.Version{}
}

// moved is the input as it will be once a copy has its target's name.
func (v *view) moved(in plan.Input, from string, all ordered) plan.Input {
	children := slices.ContainsFunc(all.below(from), func(name string) bool { return dataset.Parent(name) == from })
	in.Receiver = receiver(v.targets[from], in.Send, children)
	if root := in.Receiver.KeyRoot; dataset.Within(root, from) {
		in.Receiver.KeyRoot = in.Target + strings.TrimPrefix(root, from)
	}
	return in
}

// ordered are names of datasets in an order in which what stands below one follows
// it at once.
type ordered []string

func byTree(a, b string) int {
	return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}

func (v *view) inOrder() ordered { return slices.SortedFunc(maps.Keys(v.targets), byTree) }

// below are the datasets below one.
func (o ordered) below(name string) []string {
	first, _ := slices.BinarySearchFunc(o, name+"/", byTree)
	n := first
	for n < len(o) && dataset.Within(o[n], name) {
		n++
	}
	return o[first:n]
}

// unique takes, of several copies that would go to one source, the one that has
// most of it, or none if two have as much.
func unique(all []rename) []rename {
	best, txg := map[string]int{}, func(i int) uint64 {
		if b := all[i].result.Base; b != nil {
			return b.Sender.CreateTXG
		}
		return 0
	}
	for i, m := range all {
		switch other, two := best[m.result.Source]; {
		case !two, other >= 0 && txg(i) > txg(other):
			best[m.result.Source] = i
		case other >= 0 && txg(i) == txg(other):
			best[m.result.Source] = -1
		}
	}
	var out []rename
	for i, m := range all {
		if best[m.result.Source] == i {
			out = append(out, m)
		}
	}
	return out
}

// together notes which copies go with one above, and which ones would take along
// what has to stay where it is. What moves out of another one may be renamed before
// or after that.
func (r *round) together(all []rename, lost map[string]string) []rename {
	at, order := map[string]int{}, r.view.inOrder()
	for i, m := range all {
		at[m.from] = i
	}
	copyOf := map[string]string{}
	for _, p := range r.results {
		copyOf[p.Target] = p.Source
	}
	for i := range all {
		m := &all[i]
		for up := dataset.Parent(m.from); up != "" && m.with == ""; up = dataset.Parent(up) {
			if k, moves := at[up]; moves && all[k].takes(*m) {
				m.with = cmp.Or(all[k].with, up)
			}
		}
		for _, name := range order.below(m.from) {
			_, moves := at[name]
			_, alone := lost[name]
			switch t := r.view.targets[name]; {
			case moves, alone, len(t.Versions) == 0 && (t.Placeholder || m.cut(name, t.Partial)):
			case copyOf[name] != "":
				m.bar = cmp.Or(m.bar, fmt.Errorf("%q below it is the copy of %q", name, copyOf[name]))
			default:
				m.bar = cmp.Or(m.bar, fmt.Errorf("%q below it is not on the job's list of copies", name))
			}
		}
	}
	return all
}

// takes reports whether a copy below another one gets its new name with that.
func (m rename) takes(below rename) bool {
	return dataset.Within(below.from, m.from) && below.result.Target == m.result.Target+strings.TrimPrefix(below.from, m.from)
}

// cut reports whether a dataset below a copy is what the cut first stream of a
// dataset below the copy's source left.
func (m rename) cut(name string, part *transfer.Partial) bool {
	return part != nil && part.From == 0 && part.Of == m.was+strings.TrimPrefix(name, m.from)
}

// findRenames looks for copies that follow their sources, if the receiver lets
// them, and writes into the results what comes of it.
func (r *round) findRenames(ctx context.Context) error {
	r.renaming = nil
	lost := r.Job.lost(r.view, r.results)
	if len(lost) == 0 {
		return nil
	}
	all := r.Job.renames(r.view, lost)
	if len(all) == 0 {
		return nil
	}
	if err := r.takes(ctx, r.view); err != nil {
		return err
	}
	if !r.view.takes.Renames {
		return nil
	}
	if err := r.findHeldOf(ctx, all); err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(m rename) bool { return !holds(r.view.targets[m.from], m.base) })
	r.renaming = r.together(unique(all), lost)
	gone, at := map[string]bool{}, r.bySource()
	for _, m := range r.renaming {
		gone[m.from] = true
		p := m.result
		if m.with == "" && m.bar == nil {
			step := plan.Step{Kind: plan.Rename, Reason: fmt.Sprintf("the source was renamed, and %q is its copy", m.from)}
			p.Steps = append([]plan.Step{step}, p.Steps...)
		}
		r.results[at[p.Source]] = p
	}
	r.results = slices.DeleteFunc(r.results, func(p plan.Result) bool {
		return p.Source == "" && p.Conflict != nil && gone[p.Target]
	})
	return nil
}

// bySource are the numbers of the sources' results.
func (r *round) bySource() map[string]int {
	at := make(map[string]int, len(r.results))
	for i, p := range r.results {
		if p.Source != "" {
			at[p.Source] = i
		}
	}
	return at
}

// findHeldOf looks up whether the bases of copies are held.
func (r *round) findHeldOf(ctx context.Context, all []rename) error {
	var here, there []transfer.Snap
	for _, m := range all {
		there = append(there, snap(m.from, m.base))
		if b := m.result.Base; b != nil && b.Sender.Kind == dataset.Snapshot {
			here = append(here, snap(m.result.Source, b.Sender))
		}
	}
	there, err := r.Receiver.Held(ctx, there)
	if err != nil {
		return fmt.Errorf("cannot ask the receiver what is held: %w", err)
	}
	if here, err = ask(ctx, r.Sender.Held, here); err != nil {
		return fmt.Errorf("cannot ask the sender what is held: %w", err)
	}
	note(r.view.targets, there)
	note(r.view.sources, here)
	return nil
}
