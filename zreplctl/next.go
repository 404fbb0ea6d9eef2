package main

import (
	"context"
	"slices"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/daemon"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/observe"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/pause"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

func nextCommand(g *globals) *ffcli.Command {
	flags := g.flags("next")
	n := flags.Int("n", 1, "print the next so `many` times of each job")
	return &ffcli.Command{
		Name:       "next",
		ShortUsage: "zreplctl next [-n MANY] [flags] [job ...]",
		ShortHelp:  "Print when the daemon runs jobs next.",
		FlagSet:    flags,
		Exec: func(_ context.Context, args []string) error {
			if *n < 1 || *n > 10_000 {
				return cli.Usagef("-n must be from 1 to 10000")
			}
			return g.next(args, *n)
		},
	}
}

// coming is one line of next.
type coming struct {
	job, note string
	at        time.Time // zero: never
}

func (g *globals) next(names []string, n int) error {
	c, err := g.load()
	if err != nil {
		return err
	}
	if err := areJobs(c, names); err != nil {
		return err
	}
	dir, now := state.Of(c.Global), time.Now()
	recorded := recordedRun(dir)
	var all []coming
	for _, j := range c.Jobs {
		if len(names) > 0 && !slices.Contains(names, j.Name) || !j.Timed() && len(names) == 0 {
			continue
		}
		paused, until, unread := pause.Look(dir, j.Name, now)
		times, due := daemon.Next(c.Global, j, recorded(j), now, n)
		note := j.InWords()
		switch {
		case !j.Timed():
			note = "no schedule"
		case due:
			note = "due now; " + note
		}
		if unread != nil {
			note, times = unread.Error()+"; "+note, nil
		}
		if paused && until.IsZero() {
			note = "paused until zreplctl resume; " + note
		}
		for _, at := range times {
			all = append(all, coming{j.Name, note, at})
		}
		if len(times) == 0 {
			all = append(all, coming{job: j.Name, note: note})
		}
	}
	slices.SortStableFunc(all, func(a, b coming) int {
		if a.at.IsZero() != b.at.IsZero() { // those without a time come last
			return -a.at.Compare(b.at)
		}
		return a.at.Compare(b.at)
	})
	for _, one := range all {
		at := "-"
		if !one.at.IsZero() {
			at = one.at.Local().Format(time.RFC3339)
		}
		if err := g.stdout.Record(one.job, at, one.note); err != nil {
			return cli.Quiet(err)
		}
	}
	if slices.ContainsFunc(all, func(one coming) bool { return !one.at.IsZero() }) {
		g.warnOfDaemon(observe.Daemon(c))
	}
	return nil
}

// warnOfDaemon says why times that the configuration gives will not come true.
func (g *globals) warnOfDaemon(d health.Daemon) {
	switch {
	case !d.Running:
		g.say("no daemon runs: nothing will start these")
	case d.Stale:
		g.say("%s", health.StaleDaemon)
	}
}
