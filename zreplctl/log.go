package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

func logCommand(g *globals) *ffcli.Command {
	fs := g.flags("log")
	asJSON := fs.Bool("json", false, "print one object of JSON a line")
	return &ffcli.Command{
		Name:       "log",
		ShortUsage: "zreplctl log [-json] [flags] [job ...]",
		ShortHelp:  "Print the runs of jobs and the connections of clients, the oldest first.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			if err := areJobs(c, args); err != nil {
				return err
			}
			return cli.Quiet(g.stdout.Buffered(func(out *cli.Out) error {
				all, err := past(c, args)
				for _, p := range all {
					if err := printPast(out, p, *asJSON); err != nil {
						return err
					}
				}
				return err
			}))
		},
	}
}

// past returns the history of these jobs, or of all, the oldest first. With an
// error it is what could be read.
func past(c *config.Config, jobs []string) (all []job.Past, err error) {
	dir := state.Of(c.Global)
	for _, j := range c.Jobs {
		if len(jobs) > 0 && !slices.Contains(jobs, j.Name) {
			continue
		}
		runs, failed := job.ReadPast(dir, j.Name)
		if unusable := (*state.DirError)(nil); errors.As(failed, &unusable) { // so it is for all
			return nil, cli.Cannot("read the history of job", j.Name, failed)
		}
		all = append(all, runs...)
		for _, client := range j.Clients() {
			sessions, serr := job.ReadSessions(dir, client)
			failed = errors.Join(failed, serr)
			for _, s := range sessions {
				all = append(all, job.Past{Job: j.Name, Client: client, Started: s.Started, Ended: s.Ended, OK: s.Error == "", Bytes: s.Bytes, Moved: s.Streams + s.Restored, Restored: s.Restored, Error: s.Error})
			}
		}
		if failed != nil {
			err = errors.Join(err, cli.Cannot("read the history of job", j.Name, failed))
		}
	}
	slices.SortStableFunc(all, func(a, b job.Past) int { return a.Started.Compare(b.Started.Time) })
	return all, err
}

func printPast(out *cli.Out, p job.Past, asJSON bool) error {
	if asJSON {
		return out.JSON(p)
	}
	what, took, result := p.Part, "no end", "ok"
	if p.Client != "" {
		what = "client " + p.Client
	}
	if p.Restored > 0 {
		what += " restored"
	}
	if !p.Ended.IsZero() {
		took = health.Words(p.Ended.Sub(p.Started.Time))
	}
	switch {
	case p.Killed:
		result = "killed"
	case p.Stopped:
		result = "stopped"
	case !p.OK:
		result = "failed"
	}
	bytes := size(p.Bytes)
	if p.Killed && p.Bytes == 0 {
		bytes = "-" // nobody counted them
	}
	return printLine(out, p.Job, p.Started.UTC().Format(time.RFC3339), took, result, what,
		bytes, strconv.Itoa(p.Moved)+" moved", strconv.Itoa(p.Failed)+" failed", clean.Line(p.Text(), maxText))
}
