// Package observe gathers what a report of health is made from: what the runs
// have left in the state directory, and what ZFS on this host says, with a
// number of commands that does not depend on how many datasets there are.
//
// It changes nothing but its own note of creations, and needs no daemon, no connection and no root.
package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Observer gathers.
type Observer struct {
	Config *config.Config
	ZFS    *zfs.ZFS // nil: there is none, which is said of each job
	Now    time.Time
	// Jobs limits what is looked at to these jobs; none: all.
	Jobs []string
	// Warn and Crit, where they are set, are the limits of every job.
	Warn, Crit time.Duration
	// Patience is how long zfs may say nothing; zero: Patience.
	Patience time.Duration
}

// Look gathers. It fails in nothing: what could not be found out is in the
// result.
func (o *Observer) Look(ctx context.Context) health.Input {
	in := health.Input{Now: o.Now, Config: o.Config.Path}
	var broken map[string]string
	var started time.Time
	in.Daemon, started, broken = readDaemon(o.Config)
	if len(o.Jobs) == 0 {
		in.Orphans = hook.Orphans(state.Of(o.Config.Global), o.Config.Jobs)
	}
	var jobs []*looked
	for _, j := range o.Config.Jobs {
		if len(o.Jobs) == 0 || slices.Contains(o.Jobs, j.Name) {
			l := &looked{job: j, now: o.Now, dir: state.Of(o.Config.Global), facts: o.limits(j)}
			l.facts.Broken = clean.Line(broken[j.Name], maxWhy)
			l.facts.Former = job.FormerName(o.Config, j)
			l.read(o.Config.Global.RunDir)
			jobs = append(jobs, l)
		}
	}
	for _, l := range jobs {
		in.Jobs = append(in.Jobs, l.facts)
	}
	in.Daemon.Died = in.Daemon.Died && !replaced(in.Jobs, started)
	problem := ""
	dir := state.Of(o.Config.Global)
	h, patience := &host{zfs: o.ZFS, noted: readDates(dir)}, cmp.Or(o.Patience, Patience)
	if !Await(ctx, patience, h.answers.Load, func(ctx context.Context) { problem = o.askZFS(ctx, h, jobs) }) {
		silent := fmt.Sprintf("zfs has not answered for %v: a pool may be suspended", patience)
		for i := range in.Jobs { // as they were before: it may still be at it
			in.Jobs[i].Problem = joined(in.Jobs[i].Problem, silent)
		}
		return in
	}
	if problem == "" && ctx.Err() == nil {
		some := len(o.Jobs) > 0 || slices.ContainsFunc(jobs, func(l *looked) bool { return l.unchosen })
		h.noteDates(dir, jobs, some)
	}
	for i, l := range jobs {
		in.Jobs[i] = l.facts
		in.Jobs[i].Problem = joined(l.facts.Problem, problem)
	}
	return in
}

// joined is two reasons in one line, of which each may be empty.
func joined(a, b string) string {
	if a != "" && b != "" {
		return a + "; " + b
	}
	return a + b
}

// limits are what the configuration says of a job.
func (o *Observer) limits(j *config.Job) health.Facts {
	f := health.Facts{Name: j.Name, Type: string(j.Type), Interval: j.Every(), Serves: j.Clients(),
		Copies: j.Sends() || j.Receives()}
	f.Warn, f.Crit = health.DefaultLimits(f.Interval)
	for _, limits := range [][2]time.Duration{{j.Monitor.Warn, j.Monitor.Crit}, {o.Warn, o.Crit}} {
		f.Limited = f.Limited || limits[0] > 0 || limits[1] > 0
		if limits[0] > 0 {
			f.Warn, f.Crit = limits[0], max(f.Crit, limits[0])
		}
		if limits[1] > 0 {
			f.Crit, f.Warn = limits[1], min(f.Warn, limits[1])
		}
	}
	return f
}

// askZFS fills in the copies of each job, or says why it cannot.
func (o *Observer) askZFS(ctx context.Context, h *host, jobs []*looked) (problem string) {
	if o.ZFS == nil {
		return "there is no zfs program on this host"
	}
	roots, everything := rootsOf(jobs)
	if len(roots) == 0 && !everything {
		return ""
	}
	if everything {
		roots = nil
	}
	jobs = o.choose(ctx, h, jobs)
	h.early = func(ds string, of *history) (ask, date []string) {
		for _, l := range jobs {
			date = append(date, l.surely(ds, of)...)
			for _, w := range l.wantsOf(ds, of) {
				names := of.likely(w, 1)
				if ask = append(ask, names...); of.known(w) {
					names = []string{of.full(ds, of.newest(plan.Choice{}, 1)[0])}
				}
				date = append(date, names...)
			}
		}
		return ask, h.recall(date)
	}
	if err := h.look(ctx, roots); err != nil {
		return fmt.Sprintf("cannot ask ZFS: %v", err)
	}
	if err := h.findAsides(ctx, jobs); err != nil {
		return fmt.Sprintf("cannot ask ZFS what was set aside: %v", err)
	}
	var wants []wanted
	for _, l := range jobs {
		wants = append(wants, l.wants()...)
	}
	if err := h.findHolds(ctx, wants); err != nil {
		return fmt.Sprintf("cannot ask ZFS what is held: %v", err)
	}
	var names []string
	for _, l := range jobs {
		l.find()
		l.findLacking()
		names = append(names, l.undated()...)
	}
	if err := h.date(ctx, h.recall(names)); err != nil {
		return fmt.Sprintf("cannot ask ZFS when snapshots were created: %v", err)
	}
	if err := h.dateHolds(ctx, names, o.Now); err != nil {
		return fmt.Sprintf("cannot ask ZFS when snapshots were held: %v", err)
	}
	if err := h.findBorn(ctx, jobs); err != nil {
		return fmt.Sprintf("cannot ask ZFS when datasets were created: %v", err)
	}
	for _, l := range jobs {
		l.date()
	}
	h.assignAsides(jobs)
	return ""
}

// choose finds out what each job's select chooses, and returns the jobs of which
// that is known. It is a problem of the others alone.
func (o *Observer) choose(ctx context.Context, h *host, jobs []*looked) (known []*looked) {
	for _, l := range jobs {
		l.host = h
		narrow, err := choose.Look(ctx, o.ZFS, l.job)
		h.answers.Add(1)
		if err != nil {
			l.unchosen = true
			l.facts.Problem = joined(l.facts.Problem, clean.Line("cannot ask ZFS: "+err.Error(), maxWhy))
			continue
		}
		l.job = narrow
		l.noneChosen()
		known = append(known, l)
	}
	return known
}

// rootsOf are the datasets below which the jobs have theirs, without those that
// are below others.
func rootsOf(jobs []*looked) (roots []string, everything bool) {
	for _, l := range jobs {
		for _, rules := range l.sending() {
			r, all := rules.Roots()
			roots, everything = append(roots, r...), everything || all
		}
		if l.job.Root != "" {
			roots = append(roots, l.job.Root)
		} else if l.job.Receives() {
			roots = append(roots, l.job.Mapping.Targets()...)
		}
	}
	slices.Sort(roots)
	roots = slices.Compact(roots)
	return slices.DeleteFunc(slices.Clone(roots), func(r string) bool {
		return slices.ContainsFunc(roots, func(above string) bool { return above != r && dataset.Within(r, above) })
	}), everything
}

// hasPool reports whether anything of a dataset's pool is there.
func (h *host) hasPool(name string) bool {
	return h.pools[dataset.Pool(name)]
}
