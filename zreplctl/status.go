package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/live"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/upkeep"
)

func statusCommand(g *globals) *ffcli.Command {
	fs := g.flags("status")
	asJSON := fs.Bool("json", false, "print one object of JSON a line")
	watch := fs.Bool("watch", false, "print it again whenever it changes")
	return &ffcli.Command{
		Name:       "status",
		ShortUsage: "zreplctl status [-json] [-watch] [flags] [job ...]",
		ShortHelp:  "Show how well every job's copies are, problems first.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			if err := areJobs(c, args); err != nil {
				return err
			}
			s := statusPrinter{c: c, jobs: args, out: g.stdout, json: *asJSON, watch: *watch, all: g.verbose, tty: g.stdout.Terminal()}
			return s.run(ctx)
		},
	}
}

// areJobs refuses names that are no jobs.
func areJobs(c *config.Config, names []string) error {
	for _, name := range names {
		if _, err := c.Job(name); err != nil {
			return cli.WithStatus(cli.Usage, err)
		}
	}
	return nil
}

// statusPrinter shows the record of health, and what the daemon is doing.
type statusPrinter struct {
	c           *config.Config
	jobs        []string // only these, if any
	out         *cli.Out
	json, watch bool
	all         bool // also the datasets that are well
	tty         bool

	screen *cli.Screen           // of -watch on a terminal
	views  map[string]*live.View // by job, of runs that are under way
	report health.Report
	looked time.Time // when the report was made
	daemon bool      // whether one ran then, though we may not be able to ask it
}

// shownStatus is what status -json prints.
type shownStatus struct {
	control.Status
	Health health.Report `json:"health"`
}

func (p *statusPrinter) run(ctx context.Context) error {
	if p.watch {
		return p.follow(ctx)
	}
	s, err := control.Get(ctx, p.c.Global.Control)
	if errors.Is(err, control.ErrAway) || errors.Is(err, fs.ErrPermission) { // its socket is for its owner alone
		s, err = control.Status{}, nil
	}
	if err != nil {
		return cli.Cannot("ask the daemon", p.c.Global.Control, err)
	}
	return cli.Quiet(p.print(ctx, s))
}

// noted is how far a run is by its own note. What an earlier run did is no part
// of it.
func (p *statusPrinter) noted(name string) *progress.Snapshot {
	if s := job.ReadProgress(state.Of(p.c.Global), p.c.Global.RunDir, name); s != nil {
		return s
	}
	return &progress.Snapshot{}
}

func (p *statusPrinter) print(ctx context.Context, s control.Status) error {
	p.look(ctx, &s)
	if p.json {
		return p.out.JSON(shownStatus{s, p.report})
	}
	return p.show(s)
}

// look completes what the daemon says, and looks at health if that was long ago.
func (p *statusPrinter) look(ctx context.Context, s *control.Status) {
	p.complete(s)
	if now := time.Now(); now.Sub(p.looked) > lookEvery {
		in := observer(p.c, p.jobs, now).Look(ctx)
		merge(&in, *s)
		p.report, p.looked, p.daemon = health.Judge(in), now, in.Daemon.Running
	}
}

// complete adds what the daemon does not know, because it has not run a job
// yet or because there is no daemon, from the records of the last runs.
func (p *statusPrinter) complete(s *control.Status) {
	if s.PID == 0 {
		s.Config = p.c.Path
		s.Jobs = []control.Job{}
		for _, j := range p.c.Jobs {
			s.Jobs = append(s.Jobs, control.Job{Name: j.Name, Type: string(j.Type), State: control.Idle})
		}
	}
	if s.Jobs == nil {
		s.Jobs = []control.Job{}
	}
	for i := range s.Jobs {
		j := &s.Jobs[i]
		p.fromRecord(j)
		j.OldHolds = upkeep.ReadOld(state.Of(p.c.Global), j.Name)
		p.begun(j, s.PID != 0)
		if j.Progress != nil && j.Progress.Datasets == nil {
			j.Progress.Datasets = []progress.Dataset{}
		}
	}
}

// fromRecord takes what the last run of j left.
func (p *statusPrinter) fromRecord(j *control.Job) {
	record, err := job.ReadRecord(state.Of(p.c.Global), j.Name)
	if err != nil {
		return // it never ran, is running, or health says why it cannot be read
	}
	if j.Last == nil {
		j.Last = &control.Run{Started: record.Started, Ended: record.Ended, Error: record.Error, Stopped: record.Stopped}
		if !record.OK {
			j.Last.Status = cmp.Or(record.Status, cli.Failed)
		}
		if !record.OK && record.Error != "" && j.State == control.Idle {
			j.State = control.Failed
		}
	}
	if j.Success == nil {
		j.Success = record.Success
	}
	if j.Progress == nil || len(j.Progress.Datasets) == 0 && j.State != control.Running {
		j.Progress = &progress.Snapshot{Started: record.Started, Bytes: record.Bytes, Saved: progress.Saved(record.Datasets), Datasets: record.Datasets}
	}
}

// begun tells of a run that the daemon, if there is one, has not started: one
// that is going on, or one that was killed before it could write its record.
func (p *statusPrinter) begun(j *control.Job, daemon bool) {
	if daemon && j.State != control.Idle && j.State != control.Failed {
		return
	}
	when, running, _ := job.Begun(state.Of(p.c.Global), p.c.Global.RunDir, j.Name)
	if when.IsZero() {
		return
	}
	since := progress.At(when)
	if running {
		j.State, j.Since, j.Progress = control.Running, &since, p.noted(j.Name)
		return
	}
	if daemon {
		return
	}
	j.State = control.Failed
	j.Last = &control.Run{Started: since, Ended: since, Status: cli.Failed,
		Error: "the run did not come to its end: it was killed, could not write its record, or this host went down"}
}
