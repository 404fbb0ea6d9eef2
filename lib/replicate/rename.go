package replicate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	base   dataset.Version // its newest that the source has
	with   string          // the copy above that takes it along; empty: none
	bar    string          // what stands below it and may not be renamed; empty: nothing
	result plan.Result     // what comes after it
}

// renames finds the copies that may follow their sources, parents first. A copy
// whose source is still offered stays. One in conflict is in conflict under its new
// name, too.
func (j *Job) renames(v *view, results []plan.Result) []rename {
	lost := j.lost(v, results)
	if len(lost) == 0 {
		return nil
	}
	var all []rename
	fresh := v.fresh()
	for _, from := range lost {
		in, base := v.successor(from, fresh)
		if in == nil || dataset.Pool(from) != dataset.Pool(in.Target) || dataset.Within(in.Target, from) {
			continue
		}
		policy := j.Policy
		policy.BookmarkLen = v.mark
		all = append(all, rename{from: from, base: base, result: plan.One(v.moved(*in, from), policy)})
	}
	return unique(all)
}

// lost are the copies whose source is known and is not offered any more, in the
// order of their names.
func (j *Job) lost(v *view, results []plan.Result) (names []string) {
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
	for name, source := range j.Covered {
		if t, there := v.targets[name]; there && !t.Above && len(t.Versions) > 0 && source != "" && !offered[source] && !taken[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
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
func (v *view) moved(in plan.Input, from string) plan.Input {
	children := slices.ContainsFunc(v.below(from), func(name string) bool { return dataset.Parent(name) == from })
	in.Receiver = receiver(v.targets[from], in.Send, children)
	if root := in.Receiver.KeyRoot; dataset.Within(root, from) {
		in.Receiver.KeyRoot = in.Target + strings.TrimPrefix(root, from)
	}
	return in
}

// below are the targets below a copy.
func (v *view) below(copied string) (names []string) {
	for name := range v.targets {
		if name != copied && dataset.Within(name, copied) {
			names = append(names, name)
		}
	}
	return names
}

// unique leaves out sources to which several copies would go.
func unique(all []rename) []rename {
	n := map[string]int{}
	for _, m := range all {
		n[m.result.Source]++
	}
	return slices.DeleteFunc(all, func(m rename) bool { return n[m.result.Source] > 1 })
}

// together notes which copies go with one above, and which ones would take along
// what has to stay where it is. What moves out of another one may be renamed before
// or after that.
func (v *view) together(all []rename) []rename {
	moves := map[string]bool{}
	for _, m := range all {
		moves[m.from] = true
	}
	for i := range all {
		m := &all[i]
		if up := slices.IndexFunc(all[:i], func(up rename) bool { return up.with == "" && up.takes(*m) }); up >= 0 {
			m.with = all[up].from
		}
		for _, name := range v.below(m.from) {
			if t := v.targets[name]; !moves[name] && !(t.Placeholder && len(t.Versions) == 0) {
				m.bar = name
			}
		}
	}
	return all
}

// takes reports whether a copy below another one gets its new name with that.
func (m rename) takes(below rename) bool {
	return dataset.Within(below.from, m.from) && below.result.Target == m.result.Target+strings.TrimPrefix(below.from, m.from)
}

// findRenames looks for copies that follow their sources, if the receiver lets
// them, and writes into the results what comes of it.
func (r *round) findRenames(ctx context.Context) error {
	r.renaming = nil
	all := r.Job.renames(r.view, r.results)
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
	r.renaming = r.view.together(all)
	gone := map[string]bool{}
	for _, m := range r.renaming {
		gone[m.from] = true
		p := m.result
		if m.with == "" && m.bar == "" {
			step := plan.Step{Kind: plan.Rename, Reason: fmt.Sprintf("the source was renamed, and %q is its copy", m.from)}
			p.Steps = append([]plan.Step{step}, p.Steps...)
		}
		r.results[r.resultOf(p.Source)] = p
	}
	r.results = slices.DeleteFunc(r.results, func(p plan.Result) bool {
		return p.Source == "" && p.Conflict != nil && gone[p.Target]
	})
	return nil
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

// resultOf is the number of a source's result.
func (r *round) resultOf(source string) int {
	return slices.IndexFunc(r.results, func(p plan.Result) bool { return p.Source == source })
}

// maxRenaming is how often in a row a round renames copies: one that is moved out
// of another lets that be renamed the next time.
const maxRenaming = 10

// rename has the receiver rename copies, and reports whether both ends are to be
// looked at again. What it cannot rename is a failure, and nothing is sent.
func (r *round) rename(ctx context.Context, last bool) (again bool, err error) {
	why := r.barred()
	for _, m := range slices.Backward(r.renaming) { // what moves out of another before that
		if m.with != "" {
			continue
		}
		switch err := r.unrenamed[m.from]; {
		case err != nil:
			why[m.from] = err
			continue
		case m.bar != "":
			continue
		case last || r.comes(dataset.Parent(m.result.Target)):
			why[m.from] = errLater
			continue
		}
		err := r.renameOne(ctx, m)
		if errors.As(err, new(*transfer.LinkError)) || ctx.Err() != nil {
			return false, err
		}
		again = true
		if err != nil {
			r.unrenamed[m.from] = err
		}
	}
	if !again {
		r.refuseRenames(why)
	}
	return again, nil
}

// barred says of copies why they surely keep their names.
func (r *round) barred() map[string]error {
	why := map[string]error{}
	for _, m := range r.renaming {
		if m.bar != "" {
			why[m.from] = fmt.Errorf("%q stands below it, and is not the job's or has another source", m.bar)
		}
	}
	return why
}

var errLater = errors.New("the dataset above its new name comes first")

// comes reports whether a target is not there and is to be received.
func (r *round) comes(target string) bool {
	_, there := r.view.targets[target]
	return !there && slices.ContainsFunc(r.results, func(p plan.Result) bool { return p.Target == target && p.Source != "" })
}

// renameOne renames a copy, and notes the new names of all that went with it.
func (r *round) renameOne(ctx context.Context, m rename) error {
	if err := r.makeAbove(ctx, m.result.Target); err != nil {
		return err
	}
	if err := r.Receiver.Rename(ctx, transfer.Rename{From: snap(m.from, m.base), To: m.result.Target}); err != nil {
		return err
	}
	r.say(fmt.Sprintf("renamed the copy %q to %q: its source is %q now", m.from, m.result.Target, m.result.Source))
	r.coverRenamed(m)
	return nil
}

// coverRenamed writes the new names of a copy, and of all below it, into the list
// of what is covered.
func (r *round) coverRenamed(m rename) {
	source := map[string]string{}
	for _, other := range r.renaming {
		source[other.from] = other.result.Source
	}
	fresh, stale := map[string]string{}, []string(nil)
	for name, was := range r.Covered {
		if !dataset.Within(name, m.from) {
			continue
		}
		to := m.result.Target + strings.TrimPrefix(name, m.from)
		fresh[to] = was // it was renamed once more, and has its turn yet
		if name == m.from || slices.ContainsFunc(r.renaming, func(o rename) bool { return o.from == name && o.with == m.from }) {
			fresh[to] = source[name]
		}
		stale = append(stale, name)
	}
	r.addCovered(fresh, stale)
}

// makeAbove makes the placeholders that a copy is to stand under.
func (r *round) makeAbove(ctx context.Context, target string) error {
	parent := dataset.Parent(target)
	if _, there := r.view.targets[parent]; there || parent == "" {
		return nil
	}
	if err := r.makeAbove(ctx, parent); err != nil {
		return err
	}
	in := transfer.Placeholder{Dataset: parent}
	for _, p := range r.results {
		if p.Target == parent && len(p.Steps) > 0 {
			in.Plain = p.Steps[0].EncryptionOff
		}
	}
	return r.Receiver.Placeholder(ctx, in)
}

// refuseRenames makes failures of the results whose copies keep their names, and
// of what was to come below them. A copy whose turn comes later is looked at
// again.
func (r *round) refuseRenames(why map[string]error) {
	for _, m := range r.renaming {
		if m.with == "" && why[m.from] != nil {
			r.results = plan.Block(r.results, m.result.Target, plan.Renamed)
		}
	}
	for _, m := range r.renaming {
		err, i := why[cmp.Or(m.with, m.from)], r.resultOf(m.result.Source)
		if err == nil {
			continue
		}
		r.results[i].NotRenamed(m.from, err)
		if errors.Is(err, errLater) {
			r.again[i] = fmt.Errorf("cannot rename its copy %q: %w", m.from, err)
		}
	}
}
