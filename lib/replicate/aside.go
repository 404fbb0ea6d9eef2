package replicate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// A copy in conflict can be set aside where the receiver lets it be: it gets a
// dated name, and a new copy begins in its place. zfs rename takes along what is
// below, so that a copy stays where it is while anything below it can go on.

// aside is a copy that is to be set aside, with all below it.
type aside struct {
	reason plan.Reason
	newest transfer.Snap
	with   string      // the copy above that takes it along; empty: none
	bar    error       // why it has to stay
	result plan.Result // what comes in its place
}

// findAsides finds the copies that can be set aside, and what would come in their
// place. A sender that has not all is none to begin anew from.
func (r *round) findAsides(ctx context.Context) (map[string]*aside, error) {
	all := map[string]*aside{}
	if r.Partial || r.Policy.Once {
		return all, nil
	}
	for _, p := range r.results {
		if p.Source == "" || p.Conflict == nil {
			continue
		}
		if reason := p.Conflict.CopyReason(); slices.Contains(dataset.AsideReasons, string(reason)) {
			all[p.Target] = &aside{reason: reason}
		}
	}
	if len(all) == 0 {
		return all, nil
	}
	if err := r.takes(ctx, r.view); err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(_ string, a *aside) bool { return !slices.Contains(r.view.takes.Asides, string(a.reason)) })
	if len(all) == 0 {
		return all, nil
	}
	for name, a := range all {
		a.bar = r.view.keeps(name)
		a.newest = newestOf(r.view.targets[name])
	}
	r.barParents(all)
	return all, r.planAnew(ctx, all)
}

// asideOf is what was set aside and had a target's name, or that of one above it;
// empty: nothing is there.
func (v *view) asideOf(name string) string {
	for up := name; up != ""; up = dataset.Parent(up) {
		if before := v.asides[up]; before != "" {
			return before
		}
	}
	return ""
}

func newestOf(t transfer.Dataset) (newest transfer.Snap) {
	var txg uint64
	for _, s := range t.Versions {
		if s.Kind == dataset.Snapshot && s.CreateTXG >= txg {
			newest, txg = snap(t.Name, s), s.CreateTXG
		}
	}
	return newest
}

// keeps says why a copy surely keeps its name.
func (v *view) keeps(name string) error {
	before := v.asideOf(name)
	switch {
	case before != "":
		return fmt.Errorf("%q was set aside before and is still there", before)
	case dataset.Parent(name) == "":
		return errors.New("it is a pool's own dataset")
	case newestOf(v.targets[name]).Name == "":
		return errors.New("it has no snapshot, and is no copy that zreplctl made")
	}
	return nil
}

// longest is the length of the longest name of a dataset, of what is below it and
// of their snapshots.
func (v *view) longest(name string, order ordered) (n int) {
	for _, ds := range append([]string{name}, order.below(name)...) {
		n = max(n, len(ds))
		for _, s := range v.targets[ds].Versions {
			n = max(n, len(s.Full(ds)))
		}
	}
	return n
}

// barParents keeps what would take along what has to stay, and notes what goes
// with one above.
func (r *round) barParents(all map[string]*aside) {
	order := r.view.inOrder()
	names := slices.SortedFunc(maps.Keys(all), byTree)
	for _, name := range slices.Backward(names) { // what is below before what is above
		a := all[name]
		for _, below := range order.below(name) {
			t, in := r.view.targets[below], all[below]
			switch {
			case a.bar != nil:
			case in != nil && in.bar != nil:
				a.bar = fmt.Errorf("%q below it has to stay", below)
			case in == nil && !(t.Placeholder && len(t.Versions) == 0):
				a.bar = fmt.Errorf("%q below it would move along", below)
			}
		}
		more := len(dataset.Aside("", string(a.reason), "20260101", 1))
		if n := r.view.longest(name, order) + more; a.bar == nil && n > dataset.MaxNameLen {
			a.bar = fmt.Errorf("a name would have %d bytes: at most %d", n, dataset.MaxNameLen)
		}
		for of, before := range r.view.asides {
			if a.bar == nil && dataset.Within(of, name) && of != name {
				a.bar = fmt.Errorf("%q below it was set aside before and is still there", before)
			}
		}
	}
	for _, name := range names {
		for up := dataset.Parent(name); up != ""; up = dataset.Parent(up) {
			if a := all[up]; a != nil && a.bar == nil {
				all[name].with = up // the last one found is the highest
			}
		}
		if a := all[name]; a.bar == nil && a.with == "" {
			a.bar = r.view.keyStays(name, order)
		}
	}
}

// planAnew plans what comes in the place of copies, as if they were not there. One
// whose source would not be sent stays: an old copy is better than none.
func (r *round) planAnew(ctx context.Context, all map[string]*aside) error {
	v := *r.view
	v.targets, v.inputs = maps.Clone(v.targets), slices.Clone(v.inputs)
	moves := func(name string) bool {
		for up := name; up != ""; up = dataset.Parent(up) {
			if a := all[up]; a != nil && a.bar == nil {
				return true
			}
		}
		return false
	}
	maps.DeleteFunc(v.targets, func(name string, _ transfer.Dataset) bool { return moves(name) })
	for name, a := range all {
		if a.bar == nil && a.with == "" {
			r.view.showAbove(name, v.targets)
		}
	}
	for i := range v.inputs {
		if in := &v.inputs[i]; moves(in.Target) {
			in.Receiver, in.Mine = nil, plan.Mine{}
		}
	}
	results, err := r.decide(ctx, &v)
	if err != nil {
		return err
	}
	for _, p := range results {
		a := all[p.Target]
		if a == nil || a.bar != nil || p.Source == "" {
			continue
		}
		switch a.result = p; {
		case p.Conflict != nil:
			a.bar = fmt.Errorf("no new copy could begin: %w", p.Conflict)
		case len(p.Steps) == 0:
			a.bar = errors.New("no new copy would begin")
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(all), byTree) { // a tree moves as a whole, or not
		if a := all[name]; a.bar != nil && a.with != "" && all[a.with].bar == nil {
			all[a.with].bar = fmt.Errorf("%q below it has to stay: %w", name, a.bar)
		}
	}
	return r.barCramped(ctx, all)
}

// showAbove adds what stands above a copy: a list that begins with the copy lacks
// that.
func (v *view) showAbove(name string, targets map[string]transfer.Dataset) {
	t := v.targets[name]
	sealed := t.Encrypted && !dataset.Within(t.KeyRoot, name) // by what is above
	for up := dataset.Parent(name); up != ""; up = dataset.Parent(up) {
		if _, listed := targets[up]; !listed {
			targets[up] = transfer.Dataset{Name: up, Above: true, Encrypted: sealed, KeyLoaded: t.KeyLoaded}
		}
	}
}

// barCramped keeps copies beside which there is no room for new ones, as far as
// that is known. All new copies that are to come share the room of their pool,
// those of which the old ones are set aside already, too; those that were received
// last the longest ago come first.
func (r *round) barCramped(ctx context.Context, all map[string]*aside) error {
	need, taken, err := r.newSizes(ctx, all)
	if err != nil {
		return err
	}
	oldest := func(a, b string) int {
		return cmp.Or(cmp.Compare(r.view.lastTXG(a), r.view.lastTXG(b)), byTree(a, b))
	}
	for _, top := range slices.SortedFunc(maps.Keys(need), oldest) {
		pool, bytes := dataset.Pool(top), need[top]
		others := taken[pool] + taken[pool]/roomShare
		switch t := r.view.targets[top]; {
		case t.Available > 0 && bytes > t.Available:
			all[top].bar = fmt.Errorf("a new copy has no room beside it: %s", lack(bytes, t.Available))
		case t.Available > 0 && (others > t.Available || bytes > t.Available-others):
			all[top].bar = fmt.Errorf("a new copy has no room beside it and the other new ones: %s", lack(bytes+others, t.Available))
		default:
			taken[pool] += bytes
		}
	}
	return nil
}

// roomShare is which part more of the room new copies take than their streams say.
const roomShare = 8

func (v *view) lastTXG(name string) (txg uint64) {
	for _, s := range v.targets[name].Versions {
		txg = max(txg, s.CreateTXG)
	}
	return txg
}

// newSizes are how much would come for each tree that would move, and to each pool
// for those that have moved.
func (r *round) newSizes(ctx context.Context, all map[string]*aside) (need, taken map[string]uint64, err error) {
	need, taken = map[string]uint64{}, map[string]uint64{}
	at := r.bySource()
	var asked []transfer.SendRequest
	var add []func(uint64)
	ask := func(p plan.Result, to map[string]uint64, key string) {
		if len(p.Steps) > 0 && p.Steps[0].To != nil && p.Steps[0].Initial() {
			asked = append(asked, r.request(at[p.Source], p.Steps[0]))
			add = append(add, func(n uint64) { to[key] += n })
		}
	}
	for name, a := range all {
		top := name
		if a.with != "" {
			top = a.with
		}
		if all[top].bar == nil && a.bar == nil {
			ask(a.result, need, top)
		}
	}
	for _, p := range r.results {
		if p.Source != "" && p.Conflict == nil && r.view.asideOf(p.Target) != "" {
			ask(p, taken, dataset.Pool(p.Target))
		}
	}
	sizes, err := r.sizes(ctx, asked)
	if err != nil || len(sizes) != len(asked) {
		return need, taken, err
	}
	for i, n := range sizes {
		add[i](n)
	}
	return need, taken, nil
}

// showAsides writes into the results of a plan what setting aside makes of them.
func (r *round) showAsides(ctx context.Context, now time.Time) error {
	all, err := r.findAsides(ctx)
	if err != nil {
		return err
	}
	for i := range r.results {
		p := &r.results[i]
		a := all[p.Target]
		if a == nil || p.Source == "" {
			continue
		}
		if why := a.why(all); why != nil {
			p.NotAside(why)
			continue
		}
		steps := a.result.Steps
		if a.with == "" {
			to := r.view.asideName(p.Target, string(a.reason), now)
			reason := fmt.Sprintf("the copy is set aside as %q, and a new one begins: %s", to, p.Conflict)
			steps = append([]plan.Step{{Kind: plan.Aside, Reason: reason}}, steps...)
		}
		*p = a.result
		p.Steps = steps
	}
	return nil
}

// asideName is the name that a copy gets, as far as what is there is listed.
func (v *view) asideName(name, reason string, now time.Time) (to string) {
	for n := 1; n <= dataset.MaxAside; n++ {
		to = dataset.Aside(name, reason, now.UTC().Format("20060102"), n)
		if _, there := v.targets[to]; !there {
			break
		}
	}
	return to
}

// why says why a copy stays.
func (a *aside) why(all map[string]*aside) error {
	if a.with != "" && all[a.with].bar != nil {
		return fmt.Errorf("%q, which would take it along, has to stay: %w", a.with, all[a.with].bar)
	}
	return a.bar
}

// setAside has the receiver set copies aside, and reports whether both ends are to
// be looked at again. A run does it once for each copy, whatever the receiver
// lists then.
func (r *round) setAside(ctx context.Context) (again bool, err error) {
	all, err := r.findAsides(ctx)
	if err != nil || len(all) == 0 {
		return false, err
	}
	why := map[string]error{}
	for _, name := range slices.SortedFunc(maps.Keys(all), byTree) {
		a := all[name]
		if why[name] = a.why(all); why[name] != nil || a.with != "" {
			continue
		}
		if err, tried := r.asided[name]; tried {
			why[name] = err
			if err == nil {
				why[name] = errors.New("this run has set it aside already")
			}
			continue
		}
		err := r.setAsideOne(ctx, name, a)
		if errors.As(err, new(*transfer.LinkError)) || ctx.Err() != nil {
			return false, err
		}
		r.asided[name], again = err, true
	}
	if again {
		return true, nil
	}
	for i := range r.results {
		p := &r.results[i]
		if a := all[p.Target]; a != nil && p.Source != "" && p.Conflict != nil {
			if a.with != "" && why[p.Target] == nil {
				why[p.Target] = why[a.with]
			}
			p.NotAside(why[p.Target])
		}
	}
	return false, nil
}

func (r *round) setAsideOne(ctx context.Context, name string, a *aside) error {
	got, err := r.Receiver.SetAside(ctx, transfer.Aside{Copy: a.newest, Reason: string(a.reason)})
	if err != nil {
		return err
	}
	if err := dataset.CheckName(got.Dataset); err != nil {
		return fmt.Errorf("the receiver set it aside as what is no dataset: %w", err)
	}
	r.say(fmt.Sprintf("warning: set aside the copy %q as %q: %s", name, got.Dataset, a.reason))
	return nil
}
