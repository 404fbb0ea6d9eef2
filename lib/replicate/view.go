package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// view is what both ends have at one moment.
type view struct {
	sources  map[string]transfer.Dataset // what is mapped
	others   []transfer.Dataset          // offered by the sender and not mapped
	all      []transfer.Dataset          // all that the sender lists, also what is of no use
	targets  map[string]transfer.Dataset
	inputs   []plan.Input
	thorough bool           // all that is held is known
	mark     int            // length of a cursor bookmark's name
	takes    transfer.Takes // known where something is to be sent
	asked    bool           // takes is known
	outlaws  outlaws
	outside  map[string]bool       // sources that are mapped to where nothing can be
	guids    map[dataset.GUID]bool // of all that the sender lists; see listed
	names    map[string]bool       // all that the sender lists, also what is of no use
	pools    map[string]bool       // of the targets; see hasPool
	asides   map[string]string     // what was set aside, by the name that it had
}

// look lists both ends at the same time, and fails if the sender has nothing: its
// pool is not imported, most likely.
func (j *Job) look(ctx context.Context, in transfer.ListRequest) (*view, error) {
	from, to, err := j.lists(ctx, in)
	if err != nil {
		return nil, err
	}
	if len(from) == 0 {
		return nil, errors.New("the sender has none of the datasets that its job names: their names are wrong, none has the property that its select requires, or their pool is not imported there")
	}
	return j.viewOf(ctx, in, from, to)
}

func (j *Job) lists(ctx context.Context, in transfer.ListRequest) (from, to []transfer.Dataset, err error) {
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() { from, errs[0] = j.Sender.List(ctx, in) })
	wg.Go(func() { to, errs[1] = j.Receiver.List(ctx, in) })
	wg.Wait()
	for i, end := range []string{"sender", "receiver"} {
		if errs[i] != nil {
			return nil, nil, fmt.Errorf("cannot list the %s's datasets: %w", end, errs[i])
		}
	}
	return from, to, nil
}

// viewOf is the view of what the ends list.
func (j *Job) viewOf(ctx context.Context, in transfer.ListRequest, from, to []transfer.Dataset) (*view, error) {
	v := &view{thorough: in.Thorough, sources: map[string]transfer.Dataset{}, targets: map[string]transfer.Dataset{}, outside: map[string]bool{}, asides: map[string]string{}, names: map[string]bool{}}
	v.receivers(to)
	v.all = slices.Clone(from)
	for _, d := range from {
		v.names[d.Name] = true
	}
	from = v.lawful(from)
	var names []string
	for _, d := range from {
		names = append(names, d.Name)
	}
	targets, err := j.Receiver.Targets(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("cannot find out where datasets go: %w", err)
	}
	v.judgeTargets(from, targets)
	v.pair(from, targets)
	return v, j.writtenSince(ctx, v)
}

// missing returns which of the datasets that are named the sender does not
// have, nor any below them.
func (v *view) missing(named []string) (none []string) {
	there := map[string]bool{}
	for ds := range v.sources {
		for ; ds != "" && !there[ds]; ds = dataset.Parent(ds) {
			there[ds] = true
		}
	}
	for _, name := range named {
		if !there[name] {
			none = append(none, name)
		}
	}
	return none
}

// unreadable says which targets bear a record of their send options that
// somebody wrote, and that says nothing.
func (v *view) unreadable() (texts []string) {
	for _, in := range v.inputs {
		recorded := v.targets[in.Target].Recorded
		if _, err := dataset.ParseSendOptions(recorded); recorded != "" && err != nil {
			texts = append(texts, fmt.Sprintf("ignoring the property zreplctl:send of %q, which says no send options: %.40q", in.Target, recorded))
		}
	}
	return texts
}

// scope says, once, where the job's rules have nothing to take: a dataset that
// was renamed would otherwise go without a copy, and nobody would know.
func (j *Job) scope(v *view) error {
	if len(v.inputs)+len(v.outlaws.results) == 0 {
		return fmt.Errorf("the job's rules map none of the %d datasets that the sender offers", len(v.others))
	}
	if !j.scoped {
		for _, name := range v.missing(j.Named) {
			j.say(fmt.Sprintf("the sender has no dataset %q, which the job's rules name", name))
		}
		for _, text := range v.unreadable() {
			j.say(text)
		}
	}
	j.scoped = true
	return v.withoutPool(j.Targets)
}

// withoutPool fails for the first target whose pool is missing, unless a
// source is mapped there: that dataset's own failure says more.
func (v *view) withoutPool(targets []string) error {
	pools := map[string]bool{}
	for name := range v.targets {
		pools[dataset.Pool(name)] = true
	}
	for _, in := range v.inputs {
		pools[dataset.Pool(in.Target)] = true
	}
	for _, target := range targets {
		if pool := dataset.Pool(target); !pools[pool] {
			return fmt.Errorf("cannot look at target %q: pool %q does not exist here, or is not imported: zpool import %s", target, pool, pool)
		}
	}
	return nil
}

// pair maps the sender's datasets to targets and makes a plan's input of each.
func (v *view) pair(from []transfer.Dataset, targets map[string]string) {
	children := map[string]bool{}
	for name := range v.targets {
		children[dataset.Parent(name)] = true
	}
	for _, d := range from {
		target, ok := targets[d.Name]
		if !ok {
			if !v.outside[d.Name] && d.Illegal == "" {
				v.others = append(v.others, d)
			}
			continue
		}
		v.sources[d.Name] = d
		v.mark = max(v.mark, d.Mark)
		in := plan.Input{Source: d.Name, Target: target, Sender: d.Versions, Encrypted: d.Encrypted, Send: d.Send, Origin: originOf(d)}
		if d.KeyRoot != d.Name {
			in.KeyTarget = targets[d.KeyRoot]
		}
		t, ok := v.targets[target]
		if ok {
			in.Receiver = receiver(t, d.Send, children[target])
		}
		in.Mine = mine(d, t)
		in.Illegal = illegal(d, t)
		v.inputs = append(v.inputs, in)
	}
}

// mine is what the job holds of source and target, as far as the lists tell.
func mine(source, target transfer.Dataset) (m plan.Mine) {
	if len(target.Held) == 0 {
		return m
	}
	var last dataset.Version
	for _, v := range target.Versions {
		if holds(target, v) && (m.Last == 0 || v.CreateTXG > last.CreateTXG) {
			m.Last, last = v.GUID, v
		}
	}
	for _, v := range source.Versions {
		if holds(source, v) || v.Kind == dataset.Bookmark && (source.Marks.Has(v.Name) || source.Kept.Has(v.Name)) {
			m.Sent = append(m.Sent, v.GUID)
		}
	}
	return m
}

func receiver(t transfer.Dataset, send dataset.SendOptions, children bool) *plan.Receiver {
	r := &plan.Receiver{Versions: t.Versions, Placeholder: t.Placeholder, Encrypted: t.Encrypted, KeyRoot: t.KeyRoot,
		Locked: t.Encrypted && !t.KeyLoaded, Children: children, Copy: t.Copy, Written: plan.WrittenBytes(t.Written)}
	if sent, err := dataset.ParseSendOptions(t.Recorded); err == nil {
		r.Sent = &sent
	}
	if p := t.Partial; p != nil {
		r.Partial = &plan.Partial{To: p.To, From: p.From, Of: p.Of, Name: p.Name, Foreign: p.Bad, Unusable: p.Unresumable(send)}
	}
	return r
}

// writtenSince asks for what a plan needs where a target has snapshots of its
// own behind the base.
func (j *Job) writtenSince(ctx context.Context, v *view) error {
	var ask []transfer.Snap
	var at []int
	for i, in := range v.inputs {
		if base, ok := plan.Needs(in); ok {
			ask = append(ask, transfer.Snap{Dataset: in.Target, Name: base.Name, GUID: base.GUID})
			at = append(at, i)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	got, err := j.Receiver.Since(ctx, ask)
	if err != nil {
		return fmt.Errorf("cannot ask the receiver what was written: %w", err)
	}
	for n, i := range at {
		if bytes, ok := got[ask[n].Dataset]; ok {
			v.inputs[i].Receiver.WrittenBase = plan.WrittenBytes(bytes)
		}
	}
	return nil
}

// ownPartials notes which partial receives are of snapshots that the job holds,
// and reports whether it found any.
func (v *view) ownPartials() (found bool) {
	for _, in := range v.inputs {
		if in.Receiver == nil || in.Receiver.Partial == nil || in.Receiver.Partial.Ours {
			continue
		}
		part, source := in.Receiver.Partial, v.sources[in.Source]
		part.Ours = slices.ContainsFunc(source.Versions, func(s dataset.Version) bool { return s.GUID == part.To && holds(source, s) })
		found = found || part.Ours
	}
	return found
}

// foreign reports whether a result takes what is left of a stream for somebody
// else's. If nothing is to be sent, that is no conflict.
func (v *view) foreign(p plan.Result) bool {
	switch {
	case p.Conflict != nil && p.Conflict.Reason == plan.ForeignPartial:
		return true
	case len(p.Steps) > 0 || p.Discard != "" || p.Conflict != nil && p.Conflict.Reason.Failure():
		return false
	}
	return v.targets[p.Target].Partial != nil
}

// lookup tells plan.All what the receiver has.
func (v *view) lookup(target string) (plan.Host, bool) {
	t, ok := v.targets[target]
	return plan.Host{Encrypted: t.Encrypted, KeyLoaded: t.KeyLoaded}, ok
}

// plan decides what to do, and looks up what the bases are held by.
func (j *Job) plan(ctx context.Context, v *view) ([]plan.Result, error) {
	v.ownPartials() // as far as holds are known
	results, err := j.decide(ctx, v)
	if err != nil {
		return nil, err
	}
	if err := j.findHeld(ctx, v, results); err != nil {
		return nil, err
	}
	if v.ownPartials() && slices.ContainsFunc(results, v.foreign) {
		if results, err = j.decide(ctx, v); err != nil {
			return nil, err
		}
	}
	results = j.cover(v, append(results, v.outlaws.all()...))
	v.findPromoted(results)
	v.findSuccessors(results)
	return results, nil
}

// Plan returns what Run would do first, and changes nothing.
func (j *Job) Plan(ctx context.Context) ([]plan.Result, error) {
	r := &round{Job: j, thorough: j.Unlisted}
	if err := r.survey(ctx); err != nil {
		return nil, err
	}
	r.refuseRenames(r.barred())
	if err := r.vanish(ctx); err != nil {
		return nil, err
	}
	if err := r.showAsides(ctx, time.Now()); err != nil {
		return nil, err
	}
	return r.results, j.scope(r.view)
}
