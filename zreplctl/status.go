package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
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
			s := statusPrinter{c: c, out: g.stdout, json: *asJSON, watch: *watch, tty: cli.Terminal(g.stdout)}
			return s.run(ctx)
		},
	}
}

// statusPrinter shows what the daemon says or, without one, what the last
// runs of the jobs have left.
type statusPrinter struct {
	c           *config.Config
	out         *os.File
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
			io.WriteString(p.out, "\x1b[H\x1b[J") // to the top, and clear
		}
		if err := p.print(s); err != nil {
			return cli.Quiet(err)
		}
		if !p.tty && !p.json {
			io.WriteString(p.out, "\n")
		}
	}
	return nil
}

func (p *statusPrinter) print(s control.Status) error {
	p.complete(&s)
	if p.json {
		return json.NewEncoder(p.out).Encode(s)
	}
	var b strings.Builder
	for _, j := range s.Jobs {
		writeJob(&b, j, s.PID != 0, time.Now())
	}
	if !p.tty {
		_, err := io.WriteString(p.out, b.String())
		return err
	}
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return w.Flush()
}

// complete adds what the daemon does not know, because it has not run a job
// yet or because there is no daemon, from the records of the last runs.
func (p *statusPrinter) complete(s *control.Status) {
	if s.Jobs == nil {
		s.Config = p.c.Path
		for _, j := range p.c.Jobs {
			s.Jobs = append(s.Jobs, control.Job{Name: j.Name, Type: string(j.Type), State: control.Idle})
		}
	}
	for i := range s.Jobs {
		j := &s.Jobs[i]
		record, err := job.ReadRecord(p.c.Global.RunDir, j.Name)
		if err != nil {
			continue // it never ran, or is running
		}
		if j.Last == nil {
			j.Last = &control.Run{Started: record.Started, Ended: record.Ended, Error: record.Error}
			if !record.OK {
				j.Last.Status = cli.Failed
			}
			if !record.OK && j.State == control.Idle {
				j.State = control.Failed
			}
		}
		if j.Success == nil {
			j.Success = record.Success
		}
		if j.Progress == nil {
			j.Progress = &progress.Snapshot{Started: record.Started, Bytes: record.Bytes, Datasets: record.Datasets}
		}
	}
}

// writeJob writes a line for the job, and one for each of its datasets and
// its clients' connections. The first column is the job's name, the second
// says what the line is about.
func writeJob(b *strings.Builder, j control.Job, daemon bool, now time.Time) {
	line(b, j.Name, "job", j.Type, j.State, "last "+ended(j.Last, now), "next "+next(j, daemon, now), lastError(j))
	if j.Progress != nil {
		for _, d := range j.Progress.Datasets {
			name := d.Target
			if d.Source != "" {
				name = d.Source + " > " + d.Target
			}
			line(b, j.Name, "dataset", name, string(d.State), fmt.Sprintf("%d/%d steps", d.Done, d.Steps),
				strconv.FormatUint(d.Bytes, 10)+" bytes", fmt.Sprintf("%d behind", d.Behind), d.To, because(d))
		}
	}
	for _, c := range j.Connections {
		line(b, j.Name, "connection", c.Client, "pid "+strconv.Itoa(c.PID), "since "+ago(c.Since, now), c.Call)
	}
}

// because says why a dataset is as it is.
func because(d progress.Dataset) string {
	if d.Reason == "" || d.Error == "" {
		return d.Reason + d.Error
	}
	return d.Reason + ": " + d.Error
}

// line joins columns; text from elsewhere can break neither line nor column.
func line(b *strings.Builder, columns ...string) {
	for i := range columns {
		if columns[i] = child.Clean(columns[i], 500); columns[i] == "" {
			columns[i] = "-"
		}
	}
	b.WriteString(strings.Join(columns, "\t") + "\n")
}

func ended(r *control.Run, now time.Time) string {
	if r == nil {
		return "never"
	}
	return ago(r.Ended, now) + ", exit status " + strconv.Itoa(r.Status)
}

func next(j control.Job, daemon bool, now time.Time) string {
	switch {
	case !daemon:
		return "when told, as no daemon runs"
	case j.State == control.Running:
		return "now: " + j.Step
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

func ago(t, now time.Time) string {
	return max(0, now.Sub(t)).Round(time.Second).String() + " ago"
}
