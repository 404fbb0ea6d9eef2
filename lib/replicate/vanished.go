package replicate

import (
	"context"
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Vanished is a copy whose source the sender does not offer any more.
type Vanished struct {
	Target   string
	Source   string            // that it had; empty: that is not known, which is a doubt
	Versions []dataset.Version // of the copy; none: it is gone, too
	// Here says why the source counts as there; empty: it does not. Doubt says why
	// what the sender tells is not believed; empty: it is. With either the copy stays.
	Here, Doubt string
	Listed      int // how many copies the job has
}

// MostGone says why a sender is not believed of which so many of the copies have lost
// their sources; empty: it is.
func MostGone(gone, all int) string {
	if 2*gone <= all {
		return ""
	}
	return fmt.Sprintf("%d of the job's %d copies would have lost their sources, which is more than half: look at the sender", gone, all)
}

// Fate is what becomes of the copy.
type Fate struct {
	Goes time.Time // when it goes; zero: it stays
	Why  string
}

// vanish asks what becomes of the copies whose sources are gone, and shows it in
// the results.
func (r *round) vanish(ctx context.Context) error {
	if r.Fates == nil || r.Partial {
		return nil
	}
	all, at := r.vanished()
	r.goes = map[string]time.Time{}
	fates, err := r.Fates(ctx, all)
	if err != nil { // replication matters more
		r.say(fmt.Sprintf("no copy goes: %v", err))
		for target := range at {
			r.results[at[target]].Stays(err.Error())
		}
		return ctx.Err()
	}
	for target, f := range fates {
		switch p := &r.results[at[target]]; {
		case !f.Goes.IsZero():
			p.Vanishes(f.Why)
			r.goes[target] = f.Goes
		case f.Why != "":
			p.Stays(f.Why)
		}
	}
	return nil
}

// vanished are the copies whose sources are gone, and where their results are.
func (r *round) vanished() (all []Vanished, at map[string]int) {
	at = map[string]int{}
	pools := map[string]bool{}
	for name := range r.view.names {
		pools[dataset.Pool(name)] = true
	}
	there := r.view.listedIn()
	gone, listed := r.missed()
	doubt := MostGone(gone, listed)
	for i, p := range r.results {
		if p.Source != "" || p.Conflict == nil || p.Conflict.Reason != plan.NotOffered {
			continue
		}
		v := Vanished{Target: p.Target, Source: r.Covered[p.Target], Doubt: doubt, Listed: listed, Versions: r.view.targets[p.Target].Versions}
		switch pool := dataset.Pool(v.Source); {
		case r.view.names[v.Source]:
			v.Here = fmt.Sprintf("the sender still has %q", v.Source)
		case v.Source == "":
			v.Doubt = "it is not known which source it had"
		case v.Doubt == "" && !pools[pool]:
			v.Doubt = fmt.Sprintf("the sender offers nothing of pool %q: it may not be imported there", pool)
		}
		for _, s := range v.Versions {
			if now, ok := there[s.GUID]; ok {
				v.Here = fmt.Sprintf("its source seems to be %q now, which has its snapshot %s, or a bookmark of it", now, s)
				break
			}
		}
		at[p.Target] = i
		all = append(all, v)
	}
	return all, at
}

// listedIn says by guid of which dataset the sender lists a snapshot or bookmark, also
// of one that cannot be replicated: a copy of that may be the only one.
func (v *view) listedIn() map[dataset.GUID]string {
	in := map[dataset.GUID]string{}
	for _, d := range v.all {
		for _, s := range d.Versions {
			in[s.GUID] = d.Name
		}
	}
	return in
}

// missed counts the copies that would have lost their sources, and all.
func (r *round) missed() (gone, listed int) {
	all := map[string]bool{}
	for target := range r.Covered {
		all[target] = true
	}
	for _, p := range r.results {
		if p.Source == "" && p.Conflict != nil && p.Conflict.Reason == plan.NotOffered {
			gone++
			all[p.Target] = true
		}
	}
	return gone, len(all)
}

// Vanished looks once more at both ends, behind Run, and returns the copies whose
// sources are gone now.
func (j *Job) Vanished(ctx context.Context) ([]Vanished, error) {
	if j.Partial {
		return nil, nil
	}
	r := &round{Job: j}
	var err error
	if r.view, err = j.look(ctx, transfer.ListRequest{Fresh: true}); err != nil {
		return nil, err
	}
	if r.results, err = j.plan(ctx, r.view); err != nil {
		return nil, err
	}
	all, _ := r.vanished()
	return all, nil
}

// Lacks asks the sender for one dataset by its name: a list leaves out what cannot be
// opened. Any answer but that it does not exist is an error.
func (j *Job) Lacks(ctx context.Context, source string) error {
	there, err := j.Sender.List(ctx, transfer.ListRequest{Datasets: []string{source}, Fresh: true})
	switch {
	case err != nil:
		return fmt.Errorf("the sender does not say that %q does not exist: %w", source, err)
	case len(there) > 0:
		return fmt.Errorf("the sender has %q", source)
	}
	return nil
}
