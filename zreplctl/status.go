package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/upkeep"
)

func statusCommand(g *globals) *ffcli.Command {
	fs := g.flags("status")
	asJSON := fs.Bool("json", false, "print one object of JSON a line")
	watch := fs.Bool("watch", false, "print it again whenever it changes")
	return &ffcli.Command{
		Name:       "status",
		ShortUsage: "zreplctl status [-json] [-watch] [flags]",
		ShortHelp:  "Show every job and dataset: what it does, how far it is, what went wrong.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q: status shows all jobs", args[0])
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			s := statusPrinter{c: c, out: g.stdout, json: *asJSON, watch: *watch, tty: g.stdout.Terminal()}
			return s.run(ctx)
		},
	}
}

// statusPrinter shows what the daemon says or, without one, what the last
// runs of the jobs have left.
type statusPrinter struct {
	c           *config.Config
	out         *cli.Out
	json, watch bool
	tty         bool
}

func (p *statusPrinter) run(ctx context.Context) error {
	if p.watch {
		return p.follow(ctx)
	}
	s, err := control.Get(ctx, p.c.Global.Control)
	if errors.Is(err, control.ErrAway) {
		s, err = control.Status{}, nil
	}
	if err != nil {
		return cli.Cannot("ask the daemon", p.c.Global.Control, err)
	}
	return cli.Quiet(p.print(s))
}

func (p *statusPrinter) follow(ctx context.Context) error {
	for s, err := range control.Watch(ctx, p.c.Global.Control) {
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return cli.WithStatus(cli.TryLater, cli.Cannot("watch the daemon", p.c.Global.Control, err))
		}
		if p.tty && !p.json {
			p.out.Home()
		}
		if err := p.print(s); err != nil {
			return cli.Quiet(err)
		}
		if !p.tty && !p.json {
			p.out.Text("\n")
		}
	}
	return nil
}

func (p *statusPrinter) print(s control.Status) error {
	p.complete(&s)
	if p.json {
		return p.out.JSON(s)
	}
	print := func(out *cli.Out) error {
		for _, j := range s.Jobs {
			if err := printJob(out, j, s.PID != 0, time.Now()); err != nil {
				return err
			}
		}
		return nil
	}
	if !p.tty {
		return p.out.Buffered(print)
	}
	table := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	if err := print(cli.NewOut(table)); err != nil {
		return err
	}
	return table.Flush()
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
		if s.PID == 0 {
			p.begun(j)
		}
		if j.Progress != nil && j.Progress.Datasets == nil {
			j.Progress.Datasets = []progress.Dataset{}
		}
	}
}

// fromRecord takes what the last run of j left.
func (p *statusPrinter) fromRecord(j *control.Job) {
	record, err := job.ReadRecord(state.Of(p.c.Global), j.Name)
	if err != nil {
		return // it never ran, or is running
	}
	if j.Last == nil {
		j.Last = &control.Run{Started: record.Started, Ended: record.Ended, Error: record.Error, Stopped: record.Stopped}
		if !record.OK {
			j.Last.Status = cli.Failed
		}
		if !record.OK && record.Error != "" && j.State == control.Idle {
			j.State = control.Failed
		}
	}
	if j.Success == nil {
		j.Success = record.Success
	}
	if j.Progress == nil || len(j.Progress.Datasets) == 0 && j.State != control.Running {
		j.Progress = &progress.Snapshot{Started: record.Started, Bytes: record.Bytes, Datasets: record.Datasets}
	}
}

// begun tells of a run that no daemon started: one that is going on, or one
// that was killed before it could write its record.
func (p *statusPrinter) begun(j *control.Job) {
	when, running := job.Begun(state.Of(p.c.Global), p.c.Global.RunDir, j.Name)
	if when.IsZero() {
		return
	}
	since := progress.At(when)
	if running {
		j.State, j.Since = control.Running, &since
		return
	}
	j.State = control.Failed
	j.Last = &control.Run{Started: since, Ended: since, Status: cli.Failed,
		Error: "the run did not come to its end: it was killed, or this host went down"}
}

// maxText is how much of an error a line of status shows, in bytes.
const maxText = 500

// printJob prints a line for the job, and one for each of its datasets and its
// clients' connections. The first column is the job's name, the second says
// what the line is about.
func printJob(out *cli.Out, j control.Job, daemon bool, now time.Time) error {
	err := printLine(out, j.Name, "job", j.Type, j.State, "last "+ended(j.Last, now), "next "+next(j, daemon, now), clean.Line(lastError(j), maxText))
	if err == nil && j.Progress != nil {
		for _, d := range j.Progress.Datasets {
			if err = printDataset(out, j.Name, d, now); err != nil {
				return err
			}
		}
	}
	for _, h := range j.OldHolds {
		if err == nil {
			err = printLine(out, j.Name, "hold", h.Snapshot, "old", "since "+ago(progress.At(h.Since), now), h.Tag)
		}
	}
	for _, c := range j.Connections {
		if err == nil {
			err = printLine(out, j.Name, "connection", c.Client, "pid "+strconv.Itoa(c.PID), "since "+ago(c.Since, now), c.Call)
		}
	}
	return err
}

func printDataset(out *cli.Out, job string, d progress.Dataset, now time.Time) error {
	name := d.Target
	switch {
	case d.Source != "" && d.Target != "":
		name = d.Source + " > " + d.Target
	case d.Source != "":
		name = d.Source
	}
	reason := clean.Line(because(d), maxText)
	if d.Seen != nil {
		reason = strings.TrimSuffix("seen "+ago(*d.Seen, now)+", not since: "+reason, ": ")
	}
	return printLine(out, job, "dataset", name, string(d.State), fmt.Sprintf("%d/%d steps", d.Done, d.Steps),
		strconv.FormatUint(d.Bytes, 10)+" bytes", fmt.Sprintf("%d behind", d.Behind), d.To, reason)
}

func printLine(out *cli.Out, columns ...string) error {
	for i := range columns {
		columns[i] = dash(columns[i])
	}
	return out.Record(columns...)
}

// because says why a dataset is as it is.
func because(d progress.Dataset) string {
	if d.Reason == "" || d.Error == "" {
		return d.Reason + d.Error
	}
	return d.Reason + ": " + d.Error
}

func ended(r *control.Run, now time.Time) string {
	if r == nil {
		return "never"
	}
	if r.Stopped {
		return ago(r.Ended, now) + ", stopped"
	}
	return ago(r.Ended, now) + ", exit status " + strconv.Itoa(r.Status)
}

func next(j control.Job, daemon bool, now time.Time) string {
	switch {
	case j.State == control.Running:
		return "now: " + dash(j.Step)
	case !daemon:
		return "when told, as no daemon runs"
	case j.Next == nil:
		return "when told"
	}
	return "in " + max(0, j.Next.Sub(now)).Round(time.Second).String()
}

func lastError(j control.Job) string {
	if j.Problem != "" {
		return j.Problem
	}
	if j.Last == nil {
		return ""
	}
	return j.Last.Error
}

func ago(t progress.Time, now time.Time) string {
	return max(0, now.Sub(t.Time)).Round(time.Second).String() + " ago"
}
