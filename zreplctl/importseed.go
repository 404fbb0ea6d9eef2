package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func importSeedCommand(g *globals) *ffcli.Command {
	fs := g.flags("import-seed")
	dry := fs.Bool("n", false, "print what would be received, with sizes, and receive nothing")
	show := fs.Bool("progress", false, "show progress on standard error, even if that is no terminal")
	return &ffcli.Command{
		Name:       "import-seed",
		ShortUsage: "zreplctl import-seed [-n] [-progress] [flags] job <file",
		ShortHelp:  "Make a job's first copies of what zreplctl export wrote, from standard input.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("import-seed requires the name of one job")
			}
			if cli.Terminal(g.stdin) {
				return cli.Usagef("import-seed reads a file of zreplctl export: redirect standard input")
			}
			return g.importSeed(ctx, args[0], *dry, *show)
		},
	}
}

func (g *globals) importSeed(ctx context.Context, name string, dry, show bool) error {
	c, j, err := g.job(name)
	if err != nil {
		return err
	}
	if !j.Receives() {
		err := cli.WithStatus(cli.Usage, cli.Cannot("import into job", name, fmt.Errorf("a job of type %s receives nothing on this host", j.Type)))
		return cli.Hint(err, "run zreplctl import-seed on the host that receives")
	}
	if g.configPath == "-" {
		return cli.Usagef("import-seed reads the file from standard input, so that the configuration must be elsewhere")
	}
	i := &job.ImportSeed{In: g.stdin, Run: &job.Run{Global: c.Global, Job: j, Say: g.sayOf(j)}}
	if i.Run.Programs, err = findPrograms(); err != nil {
		return err
	}
	if dry {
		return g.planSeed(ctx, i)
	}
	i.Run.Tracker = &progress.Tracker{}
	if show || g.stderr.Terminal() {
		out := *g.stderr // what is said meanwhile goes around the view
		i.Run.Watched = true
		defer watch(i.Run.Tracker, nil, newViewer(&out, g.stderr, g.stdout))()
	}
	return importError(name, i.Do(ctx))
}

// planSeed prints what an import would do.
func (g *globals) planSeed(ctx context.Context, i *job.ImportSeed) error {
	results, sizes, err := i.Plan(ctx)
	if err != nil {
		return importError(i.Run.Job.Name, err)
	}
	if err := g.printResults(results, sizes, false); err != nil {
		return cli.Quiet(err)
	}
	failed := 0
	for _, p := range results {
		if p.Conflict != nil && p.Conflict.Reason.Failure() {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("cannot receive %s of the file", plural.Of(failed, "dataset"))
	}
	return nil
}

// importError says what went wrong, and with which exit status.
func importError(name string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, importError(name, e))
		}
		return errors.Join(all...)
	}
	var some *job.DatasetsError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &some):
		return errors.Join(hinted(name, some.Each())...)
	case errors.Is(err, job.ErrRunning), errors.Is(err, job.ErrServed):
		return cli.WithStatus(cli.TryLater, cli.Cannot("import into job", name, err))
	}
	return cli.Cannot("import into job", name, err)
}
