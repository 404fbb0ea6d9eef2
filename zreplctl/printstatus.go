package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/live"
)

const (
	maxText = 500 // how much of an error a line of status shows, in bytes
	maxBad  = 20  // how many datasets of a job are shown without -v
)

// show prints lines of columns: the job's name, what the line is about, and
// what there is to say.
func (p *statusPrinter) show(s control.Status) error {
	print := func(out *cli.Out) error {
		for _, note := range p.report.Notes {
			if err := printLine(out, "", "note", note); err != nil {
				return err
			}
		}
		for _, j := range problemsFirst(p.report.Jobs) {
			if err := p.showJob(out, j, s); err != nil {
				return err
			}
		}
		return p.showOthers(out, s)
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

// problemsFirst orders jobs: what is known to be bad, what is not known, what
// is well.
func problemsFirst(jobs []health.Job) []health.Job {
	jobs = slices.Clone(jobs)
	slices.SortStableFunc(jobs, func(a, b health.Job) int { return cmp.Compare(b.Level.Rank(), a.Level.Rank()) })
	return jobs
}

func (p *statusPrinter) showJob(out *cli.Out, j health.Job, s control.Status) error {
	now := p.report.Made.Time
	err := printLine(out, j.Name, "job", j.Type, string(j.State), aged(j.Age), behind(j.Behind, j.BehindBytes),
		"last "+lastRun(j, now), p.nextRun(j, s.PID != 0, now), clean.Line(j.Why, maxText))
	if err == nil {
		err = p.showDatasets(out, j)
	}
	for _, c := range j.Clients {
		if err == nil {
			err = printLine(out, j.Name, "client", c.Name, string(c.State), aged(c.Age), "came "+when(c.Last, now),
				streams(c.Streams), clean.Line(c.Error, maxText))
		}
	}
	for _, a := range j.Asides {
		if err == nil {
			err = printLine(out, j.Name, "aside", a.Name, "was "+a.Of, size(a.Used), a.Do())
		}
	}
	at := slices.IndexFunc(s.Jobs, func(one control.Job) bool { return one.Name == j.Name })
	if at < 0 || err != nil {
		return err
	}
	return p.showDaemonJob(out, s.Jobs[at])
}

// showOthers prints the jobs that the daemon has and the configuration has not.
func (p *statusPrinter) showOthers(out *cli.Out, s control.Status) error {
	for _, j := range s.Jobs {
		known := slices.ContainsFunc(p.c.Jobs, func(one *config.Job) bool { return one.Name == j.Name })
		if known || len(p.jobs) > 0 {
			continue
		}
		if err := printLine(out, j.Name, "job", j.Type, j.State, "only the daemon has it: the configuration was changed"); err != nil {
			return err
		}
		if err := p.showDaemonJob(out, j); err != nil {
			return err
		}
	}
	return nil
}

func (p *statusPrinter) showDatasets(out *cli.Out, j health.Job) error {
	for i, d := range j.Datasets {
		switch {
		case p.all:
		case d.Level == health.Good:
			return nil // they come last
		case i == maxBad:
			rest := slices.IndexFunc(j.Datasets, func(d health.Dataset) bool { return d.Level == health.Good })
			if rest < 0 {
				rest = len(j.Datasets)
			}
			return printLine(out, j.Name, "more", plural.Of(rest-i, "dataset")+" more: -v shows all")
		}
		if err := printLine(out, j.Name, "dataset", pair(d), string(d.State), aged(d.Age), behind(d.Behind, d.BehindBytes), d.Snapshot, p.remark(d)); err != nil {
			return err
		}
	}
	return nil
}

// remark is what there is to say of a dataset.
func (p *statusPrinter) remark(d health.Dataset) string {
	var all []string
	if why := clean.Line(d.Why, maxText); why != "" {
		all = append(all, why)
	}
	if now := p.report.Made.Time; p.all {
		if anew := d.SentAnew(now); anew != "" {
			all = append(all, anew)
		}
		if d.Verified != nil && d.Differs == "" {
			all = append(all, "verified "+health.Since(d.Verified.Time, now))
		}
	}
	return strings.Join(all, "; ")
}

// showDaemonJob prints what is going on.
func (p *statusPrinter) showDaemonJob(out *cli.Out, j control.Job) error {
	if j.State == control.Running && j.Progress != nil {
		for _, d := range j.Progress.Datasets {
			if d.State != progress.Sending {
				continue
			}
			if err := printLine(out, j.Name, "sending", cmp.Or(d.Source, d.Target), fmt.Sprintf("%d/%d steps", d.Done, d.Steps), strings.TrimSpace(size(d.Bytes)+" "+live.Gain(d.Bytes, d.Saved))); err != nil {
				return err
			}
		}
	}
	now := time.Now()
	for _, h := range j.OldHolds {
		if err := printLine(out, j.Name, "hold", h.Snapshot, "old", "since "+health.Since(h.Since, now), h.Tag); err != nil {
			return err
		}
	}
	for _, c := range j.Connections {
		if err := printLine(out, j.Name, "connection", c.Client, "pid "+strconv.Itoa(c.PID), "since "+health.Since(c.Since.Time, now), c.Call); err != nil {
			return err
		}
	}
	return nil
}

// pair names a dataset on both sides, and whose copy it is.
func pair(d health.Dataset) string {
	switch {
	case d.Client != "":
		return d.Source + " for " + d.Client
	case d.Source != "" && d.Target != "":
		return d.Source + " > " + d.Target
	}
	return d.Source + d.Target
}

func aged(age *int64) string {
	if age == nil {
		return "no age"
	}
	return health.Words(time.Duration(*age)*time.Second) + " old"
}

// behind says how many snapshots a copy lacks, if that is known, and how much is
// in them if that is known.
func behind(n *int, bytes *uint64) string {
	if n == nil {
		return "behind unknown"
	}
	text := strconv.Itoa(*n) + " behind"
	if *n > 0 && bytes != nil {
		text += " (" + size(*bytes) + ")"
	}
	return text
}

func streams(n int) string {
	if n == 1 {
		return "1 stream"
	}
	return strconv.Itoa(n) + " streams"
}

func when(t *progress.Time, now time.Time) string {
	if t == nil {
		return "never"
	}
	return health.Since(t.Time, now)
}

func lastRun(j health.Job, now time.Time) string {
	switch {
	case j.Attempt == nil:
		return "never"
	case j.Success == nil:
		return when(j.Attempt, now) + ", never with success"
	case !j.Success.Equal(j.Attempt.Time):
		return when(j.Attempt, now) + ", with success " + when(j.Success, now)
	}
	return when(j.Attempt, now)
}

func (p *statusPrinter) nextRun(j health.Job, daemon bool, now time.Time) string {
	switch {
	case j.State == health.Running:
		return "next now"
	case j.State == health.Paused:
		return "next after resume"
	case j.Next != nil && daemon:
		return "next in " + health.Words(j.Next.Sub(now))
	case !daemon && p.daemon:
		return "next not known: only the daemon's user may ask it"
	case !daemon:
		return "no daemon runs"
	}
	return "no schedule"
}

func printLine(out *cli.Out, columns ...string) error {
	for i := range columns {
		columns[i] = dash(columns[i])
	}
	return out.Record(columns...)
}
