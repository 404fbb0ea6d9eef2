package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/pause"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/reading"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// vanished decides which copies go because their sources are gone. It counts for
// how long each is gone, and nothing goes that was not shown before.
type vanished struct {
	r        *Run
	receiver *endpoint.Receiver
	engine   *replicate.Job
	dry      bool // for a plan: it notes nothing
	shared   func(name string) error

	found sightings
	notes map[string]state.Vanishing
	due   []endpoint.Going  // those below others first
	from  map[string]string // their sources
	going []string          // what is said of those that are not due
	said  bool
}

// withVanished has an engine ask which copies go, if the job's configuration lets any.
func (r *Run) withVanished(j *replicate.Job, receiver replicate.Receiver, dry bool) *vanished {
	here, ok := receiver.(*endpoint.Receiver)
	if r.Job.Recv.Vanished == 0 || !ok {
		if !dry {
			_ = r.state().Vanished(r.Job.Name).Drop() // nobody counts meanwhile: it would begin anew
		}
		return nil
	}
	v := &vanished{r: r, receiver: here, engine: j, dry: dry, shared: others(r.state(), r.Job.Name)}
	j.Fates = v.fates
	return v
}

func (v *vanished) note() state.Vanished { return v.r.state().Vanished(v.r.Job.Name) }

// fates says which copies go and when, and counts. A source that is back ends the time
// of its copy.
func (v *vanished) fates(ctx context.Context, all []replicate.Vanished) (fates map[string]replicate.Fate, err error) {
	defer func() {
		if err != nil {
			v.due = nil
		}
	}()
	old, err := v.note().Read()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	fates = map[string]replicate.Fate{}
	v.notes, v.due, v.going, v.found, v.from = map[string]state.Vanishing{}, nil, nil, lookFor(all), map[string]string{}
	doubt := mostGone(all, old)
	for _, one := range slices.Backward(all) { // what is below others comes first
		n := old[one.Target]
		if newest := newestOf(one).GUID; newest != n.GUID && (newest != 0 || n.Begun == 0) { // its source was back, or it is another copy
			n = state.Vanishing{Begun: n.Begun, Last: n.Last, Bytes: n.Bytes, Listed: n.Listed}
		}
		n.Listed = cmp.Or(n.Listed, one.Listed)
		one.Doubt = cmp.Or(one.Doubt, doubt)
		if fates[one.Target], err = v.judge(ctx, one, n, now); err != nil {
			return nil, err
		}
	}
	if v.dry {
		return fates, nil
	}
	v.warn()
	if maps.Equal(old, v.notes) {
		return fates, nil
	}
	return fates, v.note().Write(v.notes)
}

// judge counts for how long the source of one copy is gone, and says what becomes of
// the copy.
func (v *vanished) judge(ctx context.Context, one replicate.Vanished, n state.Vanishing, now time.Time) (replicate.Fate, error) {
	stays, ends, err := v.stays(ctx, one, n)
	switch {
	case err != nil:
		return replicate.Fate{}, err
	case stays != "":
		if !ends { // how many copies there were is kept while it is not believed
			n.Rest(now)
			n.GUID = cmp.Or(n.GUID, newestOf(one).GUID)
			v.notes[one.Target] = n
		}
		return replicate.Fate{Why: stays}, nil
	}
	n.GUID = cmp.Or(n.GUID, newestOf(one).GUID)
	n.Look(now, v.r.Job.Recv.Vanished)
	v.notes[one.Target] = n
	return v.fate(ctx, one, n, now)
}

func newestOf(one replicate.Vanished) (newest dataset.Version) {
	if n := len(one.Versions); n > 0 {
		newest = one.Versions[n-1]
	}
	return newest
}

// stays says why a copy stays, whatever the time; ends, that it also ends the time.
func (v *vanished) stays(ctx context.Context, one replicate.Vanished, n state.Vanishing) (why string, ends bool, err error) {
	switch {
	case one.Here != "":
		return one.Here, true, nil
	case one.Doubt != "":
		return one.Doubt, false, nil
	case len(one.Versions) == 0 && n.Begun == 0:
		return "there is none", true, nil
	}
	if target, ok := v.r.Job.AsWritten().Mapping.Map(one.Source); !ok || target != one.Target {
		return fmt.Sprintf("the job's rules do not map its source %q to it", one.Source), true, nil
	}
	if v.r.Job.Type != config.Local {
		return "", false, nil
	}
	there, err := v.receiver.ZFS.Datasets(ctx, []string{one.Source}, false, "guid")
	switch {
	case zfs.Present(err) != nil:
		return "", false, err
	case len(there) > 0:
		return fmt.Sprintf("its source %q exists, and the job's rules or its select leave it out", one.Source), true, nil
	}
	now, err := v.elsewhere(ctx, one)
	if err != nil || now == "" {
		return "", false, err
	}
	return fmt.Sprintf("its source seems to be %q now, which has a snapshot or bookmark of it", now), true, nil
}

// fate is what becomes of a copy whose time is counted.
func (v *vanished) fate(ctx context.Context, one replicate.Vanished, n state.Vanishing, now time.Time) (replicate.Fate, error) {
	keep := v.r.Job.Recv.Vanished
	goes, due := n.When(now, keep)
	said := fmt.Sprintf("its source %q is gone, seen first on %s, and vanished: {keep: %s} lets the copy go", one.Source, day(time.Unix(n.First, 0)), config.FormatDuration(keep))
	if n.First == 0 {
		return replicate.Fate{Why: "the clock of this host is not set"}, nil
	}
	if !due {
		return v.shows(one.Target, goes, said), nil
	}
	g := endpoint.Going{Name: one.Target, Newest: newestOf(one), Begun: n.Begun, Last: n.Last, Bytes: n.Bytes,
		Below: func(name string) bool {
			return slices.ContainsFunc(v.due, func(other endpoint.Going) bool { return other.Name == name })
		}}
	_, _, err := v.receiver.MayGo(ctx, g)
	if err == nil {
		err = cmp.Or(v.shared(one.Target), v.isRead(one.Target), v.absent(ctx, one.Source))
	}
	if err != nil {
		n.Barred = true
		v.notes[one.Target] = n
		return replicate.Fate{Why: err.Error()}, ctx.Err()
	}
	if n.Barred { // who needed it may just have begun to look: it is shown again before it goes
		n.Barred, n.Warned = false, now.Unix()
		v.notes[one.Target] = n
		goes, _ = n.When(now, keep)
		return v.shows(one.Target, goes, said), nil
	}
	v.due, v.from[one.Target] = append(v.due, g), one.Source
	return replicate.Fate{Goes: now, Why: said + " now, with a run that prunes"}, nil
}

// shows is the fate of a copy that goes on a later day, which the run warns of.
func (v *vanished) shows(target string, goes time.Time, said string) replicate.Fate {
	v.going = append(v.going, fmt.Sprintf("%q on %s", target, day(goes)))
	return replicate.Fate{Goes: goes, Why: said + " on " + day(goes)}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// warn says which copies go, once in each run.
func (v *vanished) warn() {
	if len(v.going) > 0 && !v.said {
		v.said = true
		slices.Reverse(v.going)
		v.r.tell("warning: these copies go, as their sources are gone: " + someOf(v.going))
	}
}

// isRead refuses a copy that verify or restore reads at the moment.
func (v *vanished) isRead(name string) error {
	for snapshot := range reading.In(v.r.Global.RunDir).Now() {
		if ds, _, _ := dataset.Split(snapshot); ds == name {
			return fmt.Errorf("zreplctl reads %q", snapshot)
		}
	}
	return nil
}

// letGo destroys the copies that are due, which the run has shown. A copy that it
// cannot destroy is a failure of that dataset.
func (v *vanished) letGo(ctx context.Context) error {
	if v == nil || len(v.due) == 0 || !v.r.LetGo {
		return nil
	}
	if on, _ := pause.On(v.r.state(), v.r.Job.Name, time.Now()); on {
		return nil
	}
	stay := v.lookAgain(ctx)
	for _, g := range v.due {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		gone, err := false, stay(g.Name)
		if err == nil {
			gone, err = v.letOneGo(ctx, g)
		}
		v.r.Tracker.Update(g.Name, func(d *progress.Dataset) {
			if d.Goes = nil; err != nil {
				d.State, d.Reason = progress.Failed, string(plan.NotOffered)
				d.Error = fmt.Sprintf("its source is gone, and the copy cannot go: %v", err)
			} else {
				d.State = progress.Done
			}
		})
		if !gone {
			continue
		}
		v.r.gone = append(v.r.gone, g.Name)
		if v.r.Gone != nil && v.r.broken == nil {
			if v.r.broken = v.r.Gone(g.Name); v.r.broken != nil { // nobody would know of the others
				return v.r.broken
			}
		}
	}
	return v.r.broken
}

// letOneGo destroys one copy, and takes it out of the lists. It notes before that it
// began: if it is killed, the next run goes on.
func (v *vanished) letOneGo(ctx context.Context, g endpoint.Going) (gone bool, err error) {
	name := g.Name
	g.Below = nil // they are gone by now
	guid, bytes, err := v.receiver.MayGo(ctx, g)
	if err == nil {
		err = cmp.Or(v.shared(name), v.isRead(name), v.absent(ctx, v.from[name]))
	}
	if err != nil {
		return false, err
	}
	if n := v.notes[name]; guid != 0 && (n.Begun != guid || g.Newest.GUID != 0 && n.Last != g.Newest.GUID) {
		n.Begun, n.Last, n.Bytes = guid, g.Newest.GUID, bytes
		v.notes[name] = n
		if err := v.note().Write(v.notes); err != nil {
			return false, err
		}
	}
	if err := v.receiver.LetGo(ctx, g); err != nil {
		return false, err
	}
	err = errors.Join(v.r.state().Covered(v.r.Job.Name).Remove([]string{name}), v.r.state().Verified(v.r.Job.Name).Update(nil, []string{name}))
	if err == nil {
		err = v.note().Forget([]string{name})
		delete(v.notes, name)
	}
	return guid != 0, err
}

// goneNote names the copies that a run has let go.
func goneNote(names []string) string {
	if len(names) == 0 {
		return ""
	}
	var quoted []string
	for _, name := range names {
		quoted = append(quoted, quote(name))
	}
	return "these copies went, as their sources are gone for as long as vanished: keep says: " + someOf(quoted)
}

// noteOf joins what a person should know.
func noteOf(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "; ")
}
