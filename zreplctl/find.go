package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func findCommand(g *globals) *ffcli.Command {
	f := &job.Files{}
	fs := g.flags("find")
	fs.StringVar(&f.Dataset, "dataset", "", "look in one `dataset`, the source or the copy")
	asJSON := fs.Bool("json", false, "print one JSON object for each version, a line each")
	return &ffcli.Command{
		Name:       "find",
		ShortUsage: "zreplctl find [-dataset DATASET] [-json] [flags] job path",
		ShortHelp:  "Print in which snapshots a file exists, and in which it changed.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 2 || args[1] == "" {
				return cli.Usagef("find requires a job and the path of a file")
			}
			f.Path = args[1]
			return g.findFile(ctx, args[0], f, *asJSON)
		},
	}
}

func (g *globals) findFile(ctx context.Context, name string, f *job.Files, asJSON bool) error {
	if err := g.prepareFiles(name, f); err != nil {
		return err
	}
	if err := f.Open(ctx); err != nil {
		return fileError("find", f.Path, err)
	}
	var printed error
	err := f.Versions(ctx, func(v job.FileVersion) error {
		if asJSON {
			printed = g.stdout.JSON(v)
		} else {
			printed = g.stdout.Record(versionColumns(v)...)
		}
		return printed
	})
	err = errors.Join(err, f.Close())
	if printed != nil {
		return cli.Quiet(printed)
	}
	return fileError("find", f.Path, err)
}

// prepareFiles finds the job, and zfs: no stream is moved.
func (g *globals) prepareFiles(name string, f *job.Files) error {
	c, j, err := g.job(name)
	if err != nil {
		return err
	}
	f.Jobs = c.Jobs
	f.Run = &job.Run{Global: c.Global, Job: j, Say: g.sayOf(j)}
	f.Run.Programs, err = findPrograms()
	return err
}

func versionColumns(v job.FileVersion) []string {
	size, modified := "-", "-"
	if v.Size != nil {
		size = strconv.FormatInt(*v.Size, 10)
	}
	if v.Modified != nil {
		modified = v.Modified.Local().Format(time.RFC3339)
	}
	columns := []string{v.Snapshot, v.Taken.Local().Format(time.RFC3339), size, modified, string(v.State), v.Newest}
	if v.Kind != "" && v.Size == nil {
		columns[2] = string(v.Kind)
	}
	return columns
}

// fileError says what went wrong with a file, and what to do.
func fileError(verb, path string, err error) error {
	advice := (*job.AdvisedError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &advice):
		return cli.Hint(cli.Cannot(verb, path, err), "%s", clean.Line(advice.Hint(), maxShown))
	}
	return cli.Cannot(verb, path, err)
}
