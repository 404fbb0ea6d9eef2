package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func exportCommand(g *globals) *ffcli.Command {
	fs := g.flags("export")
	dry := fs.Bool("n", false, "print what would be written, with sizes, and write nothing")
	client := fs.String("client", "", "the `identity` of the client that the file is for, if the job has several")
	show := fs.Bool("progress", false, "show progress on standard error, even if that is no terminal")
	return &ffcli.Command{
		Name:       "export",
		ShortUsage: "zreplctl export [-n] [-client IDENTITY] [-progress] [flags] job >file",
		ShortHelp:  "Write what a job would send first to standard output, for zreplctl import-seed.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("export requires the name of one job")
			}
			if !*dry && cli.Terminal(g.protocol) {
				return cli.Usagef("export writes no streams to a terminal: redirect standard output to a file")
			}
			if !*dry && cli.WasClosed(g.protocol) {
				return cli.Usagef("export writes to standard output, which is closed")
			}
			return g.export(ctx, args[0], *client, *dry, *show)
		},
	}
}

func (g *globals) export(ctx context.Context, name, client string, dry, show bool) error {
	c, j, err := g.job(name)
	if err != nil {
		return err
	}
	if !j.Sends() {
		err := cli.WithStatus(cli.Usage, cli.Cannot("export job", name, fmt.Errorf("a job of type %s sends nothing of this host", j.Type)))
		return cli.Hint(err, "run zreplctl export on the host that sends")
	}
	if client, err = clientOf(j, client); err != nil {
		return err
	}
	e := &job.Export{Client: client, Out: g.protocol, Run: &job.Run{Global: c.Global, Job: j, Say: g.sayOf(j)}}
	if e.Run.Programs, err = findPrograms(); err != nil {
		return err
	}
	do := e.Plan
	if !dry {
		do = func(ctx context.Context) ([]*job.ExportPart, error) { return g.watchExport(ctx, e, show) }
	}
	parts, err := do(ctx)
	if dry && err == nil {
		err = cli.Quiet(g.printExport(parts))
	}
	return exportErrors(name, parts, err)
}

// clientOf is the client of a source that a file is for.
func clientOf(j *config.Job, client string) (string, error) {
	switch all := j.Clients(); {
	case j.Type != config.Source && client != "":
		return "", cli.Usagef("-client is for jobs of type source")
	case j.Type != config.Source, slices.Contains(all, client):
		return client, nil
	case client == "" && len(all) == 1:
		return all[0], nil
	case client == "":
		return "", cli.Usagef("job %q has several clients: choose one with -client: %s", j.Name, strings.Join(all, ", "))
	}
	return "", cli.Usagef("job %q has no client %q", j.Name, client)
}

// watchExport exports, and shows a person how far it is.
func (g *globals) watchExport(ctx context.Context, e *job.Export, show bool) ([]*job.ExportPart, error) {
	if show || g.stderr.Terminal() {
		out := *g.stderr // what is said meanwhile goes around the view
		e.Run.Tracker, e.Run.Watched = &progress.Tracker{}, true
		defer watch(e.Run.Tracker, nil, newViewer(&out, g.stderr))()
	}
	return e.Do(ctx)
}

// printExport prints what would be written, a dataset a line.
func (g *globals) printExport(parts []*job.ExportPart) error {
	for _, p := range parts {
		size := "-"
		if p.Size > 0 {
			size = fmt.Sprint(p.Size)
		}
		columns := []string{"full", p.To.Full(p.Source), size}
		switch {
		case p.Err != nil:
			columns = []string{"failed", p.Source, "-", p.Err.Error()}
		case p.Wait != "":
			columns = []string{"waits", p.Source, "-", p.Wait}
		}
		if err := g.stdout.Record(columns...); err != nil {
			return err
		}
	}
	return nil
}

// exportErrors says what went wrong, and with which exit status.
func exportErrors(name string, parts []*job.ExportPart, err error) error {
	var errs []error
	for _, p := range parts {
		if p.Err != nil {
			errs = append(errs, cli.Cannot("export", p.Source, p.Err))
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, job.ErrRunning), errors.Is(err, job.ErrServed):
		errs = append(errs, cli.WithStatus(cli.TryLater, cli.Cannot("export job", name, err)))
	default:
		errs = append(errs, cli.Cannot("export job", name, err))
	}
	return errors.Join(errs...)
}
