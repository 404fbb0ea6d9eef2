package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Activation brings copies to life, or makes them inert again.
type Activation struct {
	ZFS       *zfs.ZFS
	Datasets  []string
	Recursive bool
	Inert     bool // the reverse
	Any       bool // also what this program did not create
}

// Change is one thing to change at a dataset. Its property "mounted" stands
// for mounting and unmounting.
type Change struct {
	Dataset, Property, Old, New string
	inherit                     bool
}

// A NoCopyError says that a dataset is neither one of this program's copies nor
// restored from one.
type NoCopyError struct {
	Dataset     string
	Placeholder bool
}

func (e *NoCopyError) Error() string {
	if e.Placeholder {
		return fmt.Sprintf("dataset %q is empty and only carries others", e.Dataset)
	}
	return fmt.Sprintf("dataset %q is no copy: it has no property %s of its own", e.Dataset, SendProperty)
}

// order is the order of changes: what makes data appear comes last.
var order = []string{"readonly", "setuid", "devices", "exec", "snapdev", "mountpoint", "canmount", "volmode"}

// Plan returns what is to be changed, in order, and what a person should know.
// It changes nothing. A dataset that is no copy is a *NoCopyError; those below
// one that was named are left out.
func (a Activation) Plan(ctx context.Context) (changes []Change, notes []string, err error) {
	seen := slices.Concat(order, []string{"mounted", "keystatus", SendProperty, PlaceholderProperty, RestoreProperty, AsideProperty, "receive_resume_token"})
	roots := outermost(a.Datasets, a.Recursive)
	list, err := a.ZFS.Datasets(ctx, roots, a.Recursive, seen...)
	if err != nil {
		return nil, nil, err
	}
	p := &activation{Activation: a, after: map[string]map[string]string{}}
	if err := p.parents(ctx, roots); err != nil {
		return nil, nil, err
	}
	aside := asidesIn(list)
	for _, d := range list {
		if top := aside.above(d.Name); top != "" && !a.Inert && !a.named(d.Name, top) {
			if p.settle(d); top == d.Name {
				p.notes = append(p.notes, fmt.Sprintf("dataset %q was set aside, and was the copy %q: left as it is, with all below it; name it to activate it", top, aside[top]))
			}
			continue
		}
		switch none := p.none(d); {
		case none == nil:
			p.plan(d)
		case slices.Contains(a.Datasets, d.Name) && !(none.Placeholder && a.Recursive):
			return nil, nil, none
		default:
			p.settle(d)
			p.notes = append(p.notes, none.Error()+": left as it is")
		}
	}
	if a.Inert {
		slices.Reverse(p.mounts)
	}
	return slices.Concat(p.changes, p.mounts, p.marks), p.notes, nil
}

// named reports whether a person named a dataset, or one above it, as far as what
// was set aside.
func (a Activation) named(name, top string) bool {
	return slices.ContainsFunc(a.Datasets, func(n string) bool { return dataset.Within(name, n) && dataset.Within(n, top) })
}

// outermost sorts names, and leaves out those that others include.
func outermost(names []string, recursive bool) (out []string) {
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if !recursive || !slices.ContainsFunc(out, func(o string) bool { return dataset.Within(name, o) }) {
			out = append(out, name)
		}
	}
	return out
}

// activation is a plan being made.
type activation struct {
	Activation
	after   map[string]map[string]string // what datasets will have
	changes []Change
	mounts  []Change
	marks   []Change // last, since a restored dataset is found by its mark
	notes   []string
}

// parents reads what the datasets inherit.
func (p *activation) parents(ctx context.Context, roots []string) error {
	var names []string
	for _, name := range roots {
		if above := dataset.Parent(name); above != "" {
			names = append(names, above)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return nil
	}
	list, err := p.ZFS.Datasets(ctx, names, false, order...)
	for _, d := range list {
		p.settle(d)
	}
	return err
}

// settle notes what a dataset has that is not changed.
func (p *activation) settle(d zfs.Dataset) {
	has := map[string]string{}
	above := p.after[dataset.Parent(d.Name)]
	for name, v := range d.Properties {
		has[name] = v.Value
		if strings.HasPrefix(v.Source, "inherited") && above[name] != "" {
			has[name] = above[name]
		}
	}
	p.after[d.Name] = has
}

func (p *activation) none(d zfs.Dataset) *NoCopyError {
	mark := d.Properties[PlaceholderProperty]
	switch {
	case d.Properties[SendProperty].Source == "local", restored(d):
		return nil
	case mark.Source == "local" && mark.Value == "on":
		return &NoCopyError{d.Name, true}
	case p.Any:
		return nil
	}
	return &NoCopyError{Dataset: d.Name}
}

// restored reports whether zreplctl restore has made all of a dataset.
func restored(d zfs.Dataset) bool {
	return d.Properties[RestoreProperty].Source == "local" && d.Properties["receive_resume_token"].Value == ""
}

func (p *activation) plan(d zfs.Dataset) {
	p.settle(d)
	volume := d.Type == "volume"
	inert := property.Inert(volume)
	for _, name := range order {
		now := d.Properties[name]
		want, ours := inert[name]
		switch {
		case ours && p.Inert:
			if now.Value != want || now.Source != "local" {
				p.change(d.Name, name, now.Value, want, false)
			}
		case p.Inert:
		case ours && now.Value == want:
			p.release(d.Name, name, now, want)
		case name == "mountpoint" && now.Value == "none" && now.Source == "local":
			p.change(d.Name, name, "none", p.mountpoint(d.Name), true)
		}
	}
	if !volume {
		p.mount(d)
	}
	if restored(d) && !p.Inert {
		p.marks = append(p.marks, Change{d.Name, RestoreProperty, d.Properties[RestoreProperty].Value, "-", true})
	}
}

func (p *activation) change(ds, name, old, now string, inherit bool) {
	p.changes = append(p.changes, Change{ds, name, old, now, inherit})
	p.after[ds][name] = now
}

// inherited is what a dataset has without a setting of its own.
func (p *activation) inherited(ds, name, otherwise string) string {
	if v := p.after[dataset.Parent(ds)][name]; v != "" {
		return v
	}
	return otherwise
}

// mountpoint says what a dataset inherits: no place, or one below its parent's.
func (p *activation) mountpoint(ds string) string {
	if above := p.inherited(ds, "mountpoint", "inherited"); above == "none" || above == "legacy" {
		return above
	}
	return "inherited"
}

// release takes one inert setting off. Where what stands above would keep the
// dataset inert, it gets a setting of its own.
func (p *activation) release(ds, name string, now zfs.Property, inert string) {
	active := property.Active(name)
	above := p.inherited(ds, name, active)
	own := now.Source == "local" || now.Source == "received"
	switch {
	case active == inert: // hidden snapshots are what every volume has
	case name == "canmount": // no dataset inherits it
		p.change(ds, name, now.Value, active, false)
	case above == inert:
		p.change(ds, name, now.Value, active, false)
	case own:
		p.change(ds, name, now.Value, above, true)
	}
}

// mount decides whether a filesystem is to be mounted, or not any longer.
func (p *activation) mount(d zfs.Dataset) {
	mounted := d.Properties["mounted"].Value == "yes"
	has := p.after[d.Name]
	switch {
	case p.Inert && mounted:
		p.mounts = append(p.mounts, Change{Dataset: d.Name, Property: "mounted", Old: "yes", New: "no"})
	case p.Inert, mounted, has["canmount"] == "off":
	case has["mountpoint"] == "none" || has["mountpoint"] == "legacy":
		p.placeless(d, has["mountpoint"])
	case d.Properties["keystatus"].Value == "unavailable":
		p.notes = append(p.notes, fmt.Sprintf("dataset %q is not mounted: its key is not loaded; zfs load-key and zfs mount do it", d.Name))
	default:
		p.mounts = append(p.mounts, Change{Dataset: d.Name, Property: "mounted", Old: "no", New: "yes"})
	}
}

// placeless says once of each setting that keeps filesystems from being
// mounted where it stands.
func (p *activation) placeless(d zfs.Dataset, mountpoint string) {
	at := d.Name
	if above, inherits := strings.CutPrefix(d.Properties["mountpoint"].Source, "inherited from "); inherits {
		at = above
	}
	note := fmt.Sprintf("mountpoint=%s of %q keeps what inherits it from being mounted: set another one with zfs set", mountpoint, at)
	if !slices.Contains(p.notes, note) {
		p.notes = append(p.notes, note)
	}
}

// Do carries out one change.
func (a Activation) Do(ctx context.Context, c Change) error {
	if c.mounts() {
		if err := a.checkPlace(ctx, c.Dataset); err != nil {
			// Or the next boot would mount it.
			return errors.Join(err, a.ZFS.Set(ctx, map[string]string{"canmount": "noauto"}, c.Dataset))
		}
	}
	switch {
	case c.Property == "mounted":
		return a.moveMount(ctx, c)
	case c.inherit:
		return a.ZFS.Inherit(ctx, c.Property, c.Dataset)
	}
	return a.ZFS.Set(ctx, map[string]string{c.Property: c.New}, c.Dataset)
}
