package endpoint

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// wanted are the properties of a source that this end takes. What its
// configuration sets by itself wins.
func (r *Receiver) wanted(told map[string]string) map[string]string {
	want := map[string]string{}
	for name, value := range told {
		if _, set := r.Set[name]; !set && r.Take.Takes(name) {
			want[name] = value
		}
	}
	return want
}

// firstSettings are the properties that a new copy is created with.
func (r *Receiver) firstSettings(in transfer.ReceiveRequest) map[string]string {
	set := property.Inert(in.Volume)
	if in.Told.Sum != "" && r.Take.Any() {
		rec, all := r.firstRecord(in)
		for name := range rec.Set {
			set[name] = property.Settable(name, in.Told.Set[name])
		}
		if all {
			rec.Told = r.toldMark(in.Told)
		}
		set[SettingsProperty] = rec.String()
	}
	for name, value := range r.Set {
		if property.Has(in.Volume, name) {
			set[name] = value
		}
	}
	return set
}

// firstRecord notes what a new copy can be created with, and reports whether
// that is all that is taken. Apply sets the rest.
func (r *Receiver) firstRecord(in transfer.ReceiveRequest) (rec property.Record, all bool) {
	rec, all = property.Record{Set: map[string]string{}}, true
	want := r.wanted(in.Told.Set)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !property.Has(in.Volume, name) {
			continue
		}
		if rec.Set[name] = property.Sum(want[name]); !property.Early(name, want[name]) || !rec.Fits() {
			delete(rec.Set, name)
			all = false
		}
	}
	return rec, all
}

// forget takes out of a new copy's record what zfs receive could not set, as
// unset says, so that Apply tries it again.
func (r *Receiver) forget(ctx context.Context, in transfer.ReceiveRequest, unset string) {
	if unset == "" || !in.First() || in.Told.Sum == "" || !r.Take.Any() {
		return
	}
	rec, _ := r.firstRecord(in)
	for problem := range strings.SplitSeq(unset, "; ") {
		name, _, _ := strings.Cut(problem, ": ")
		delete(rec.Set, name)
	}
	r.ZFS.Set(ctx, map[string]string{SettingsProperty: rec.String()}, in.Dataset) // Apply says so if that fails, too
}

// toldMark is what a record says once all that a sender told was dealt with.
func (r *Receiver) toldMark(told transfer.Properties) string {
	return property.SumOf(told.Set, told.Untold) + "." + r.Take.Sum(r.Set)
}

// settled is the sum of what was last dealt with by the rules of today.
func (r *Receiver) settled(record zfs.Property) string {
	if record.Source != "local" {
		if !r.Take.Any() {
			return transfer.NothingTaken
		}
		return ""
	}
	sum, rules, _ := strings.Cut(property.ParseRecord(record.Value).Told, ".")
	if rules != r.Take.Sum(r.Set) {
		return ""
	}
	return sum
}

// maxApply is how many datasets one call may be about.
const maxApply = 500

// Apply makes copies have the properties that the sender tells of their
// sources, as far as this end takes them. It touches only what this end made
// itself and noted so. It costs two commands, and some for each change.
func (r *Receiver) Apply(ctx context.Context, in []transfer.Settings) (out transfer.Applied, err error) {
	if len(in) > maxApply {
		return out, fmt.Errorf("properties of %d datasets at once: at most %d", len(in), maxApply)
	}
	a := &applying{r: r, told: map[string]transfer.Properties{}, changes: map[string]*property.Change{}, before: map[string]property.Record{},
		failed: map[string]bool{}, problems: transfer.Problems{}}
	for _, s := range in {
		if err := r.changes(ctx, s.Dataset); err != nil {
			return out, err
		}
		if err := property.CheckTold(s.Told.Set); err != nil {
			a.problem(s.Dataset, fmt.Errorf("cannot take its properties: %w", err))
			continue
		}
		a.told[s.Dataset] = s.Told
	}
	if len(a.told) == 0 {
		return transfer.Applied{Problems: a.problems}, nil
	}
	if err := a.plan(ctx); err != nil {
		return out, err
	}
	a.clear(ctx)
	a.set(ctx)
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	out = transfer.Applied{Problems: a.problems, Left: map[string]string{}}
	for ds, c := range a.changes {
		if len(c.Left) > 0 {
			out.Left[ds] = strings.Join(c.Left, ", ")
		}
	}
	return out, nil
}

// applying is one Apply.
type applying struct {
	r        *Receiver
	told     map[string]transfer.Properties
	changes  map[string]*property.Change
	before   map[string]property.Record
	failed   map[string]bool // by dataset: something is left to do
	problems transfer.Problems
}

func (a *applying) problem(ds string, err error) {
	a.failed[ds] = true
	text := child.Clean(err.Error(), maxSaid)
	if before := a.problems[ds].Text; before != "" {
		text = before + "; " + text
	}
	a.problems[ds] = transfer.Problem{Text: child.Clean(text, 4*maxSaid), Code: cmp.Or(a.problems[ds].Code, fault.Of(err))}
}

// plan reads what the copies have, and compares.
func (a *applying) plan(ctx context.Context) error {
	todo := slices.Sorted(maps.Keys(a.told))
	marks, err := a.r.ZFS.Settings(ctx, todo, false, []string{"type", SendProperty, SettingsProperty})
	if err := zfs.Present(err); err != nil {
		return err
	}
	todo = slices.DeleteFunc(todo, func(ds string) bool { return marks[ds][SendProperty].Source != "local" })
	for len(todo) > 0 {
		n, names := a.some(todo, marks)
		values, err := a.r.ZFS.Settings(ctx, todo[:n], false, names)
		if err := zfs.Present(err); err != nil {
			return err
		}
		for _, ds := range todo[:n] {
			a.compare(ds, marks[ds], values[ds])
		}
		todo = todo[n:]
	}
	return nil
}

// some returns how many of the datasets one command can ask about, and which
// of their properties.
func (a *applying) some(todo []string, marks map[string]map[string]zfs.Property) (n int, names []string) {
	for _, ds := range todo {
		more := slices.Collect(maps.Keys(a.r.wanted(a.told[ds].Set)))
		more = slices.AppendSeq(more, maps.Keys(record(marks[ds]).Set))
		all := append(slices.Clone(names), more...)
		slices.Sort(all)
		if all = slices.Compact(all); n > 0 && zfs.FitNames(all) < len(all) {
			break
		}
		n, names = n+1, all
	}
	if len(names) == 0 {
		names = []string{"type"}
	}
	return n, names
}

func record(marks map[string]zfs.Property) property.Record {
	rec := marks[SettingsProperty]
	if rec.Source != "local" {
		rec.Value = ""
	}
	return property.ParseRecord(rec.Value)
}

func (a *applying) compare(ds string, marks, values map[string]zfs.Property) {
	c := property.Copy{Volume: marks["type"].Value == "volume", Local: map[string]string{}, Record: record(marks)}
	if c.Record.Told == a.r.toldMark(a.told[ds]) {
		return
	}
	for name, v := range values {
		if v.Source == "local" {
			c.Local[name] = v.Value
		}
	}
	change := property.Plan(c, a.r.wanted(a.told[ds].Set), a.told[ds].Untold)
	for _, name := range slices.Sorted(maps.Keys(change.Set)) {
		if !change.Record.Fits() {
			delete(change.Set, name)
			delete(change.Record.Set, name)
			a.problem(ds, fmt.Errorf("too many properties: cannot take %q", name))
		}
	}
	a.changes[ds], a.before[ds] = &change, c.Record
}

// stays keeps a property in the record as it was, since it could not be
// changed.
func (a *applying) stays(ds, name string) {
	delete(a.changes[ds].Record.Set, name)
	if sum, ours := a.before[ds].Set[name]; ours {
		a.changes[ds].Record.Set[name] = sum
	}
}

// clear takes back what this end had set and the sender has no longer.
func (a *applying) clear(ctx context.Context) {
	by := map[string][]string{}
	for ds, c := range a.changes {
		for _, name := range c.Clear {
			by[name] = append(by[name], ds)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		take := func(datasets ...string) error {
			if value, fixed := property.Cleared(name); fixed {
				return a.r.ZFS.Set(ctx, map[string]string{name: value}, datasets...)
			}
			return a.r.ZFS.Inherit(ctx, name, datasets...)
		}
		slices.Sort(by[name])
		each(by[name], take, func(ds string, err error) {
			a.problem(ds, fmt.Errorf("cannot take property %q back: %w", name, err))
			a.stays(ds, name)
		})
	}
}

// each has do done for all at once, or else for one after the other.
func each(datasets []string, do func(...string) error, failed func(ds string, err error)) {
	if len(datasets) == 0 || do(datasets...) == nil {
		return
	}
	for _, ds := range datasets {
		if err := do(ds); err != nil {
			failed(ds, err)
		}
	}
}

// set sets what differs, together with the record. Datasets with the same
// change share a command.
func (a *applying) set(ctx context.Context) {
	same := map[string][]string{}
	for ds, c := range a.changes {
		key := fmt.Sprintf("%q%q", c.Set, a.note(ds))
		same[key] = append(same[key], ds)
	}
	for _, key := range slices.Sorted(maps.Keys(same)) {
		datasets := same[key]
		slices.Sort(datasets)
		if a.nothing(ctx, datasets) {
			continue
		}
		all := a.settable(datasets[0])
		all[SettingsProperty] = a.note(datasets[0])
		set := func(datasets ...string) error { return a.r.ZFS.Set(ctx, all, datasets...) }
		each(datasets, set, func(ds string, _ error) { a.setSingly(ctx, ds) })
	}
}

// nothing deals with copies of which nothing is to be set or noted.
func (a *applying) nothing(ctx context.Context, datasets []string) bool {
	c := a.changes[datasets[0]]
	if len(c.Set) > 0 || a.r.Take.Any() || !c.Record.Empty() {
		return false
	}
	inherit := func(datasets ...string) error { return a.r.ZFS.Inherit(ctx, SettingsProperty, datasets...) }
	each(datasets, inherit, a.problem)
	return true
}

func (a *applying) settable(ds string) map[string]string {
	all := map[string]string{}
	for name, value := range a.changes[ds].Set {
		all[name] = property.Settable(name, value)
	}
	return all
}

// note is the new record of a dataset.
func (a *applying) note(ds string) string {
	rec := a.changes[ds].Record
	if !a.failed[ds] {
		rec.Told = a.r.toldMark(a.told[ds])
	}
	return rec.String()
}

// setSingly finds out what of a change does not work, and does the rest.
func (a *applying) setSingly(ctx context.Context, ds string) {
	all := a.settable(ds)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := a.r.ZFS.Set(ctx, map[string]string{name: all[name]}, ds); err != nil {
			a.problem(ds, fmt.Errorf("cannot set property %q: %w", name, err))
			a.stays(ds, name)
		}
	}
	if err := a.r.ZFS.Set(ctx, map[string]string{SettingsProperty: a.note(ds)}, ds); err != nil {
		a.problem(ds, fmt.Errorf("cannot note which properties were set: %w", err))
	}
}
