package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func restoreCommand(g *globals) *ffcli.Command {
	r, one := &job.Restore{}, &job.RestoreFile{}
	fs := g.flags("restore")
	dry := fs.Bool("n", false, "print what would be done, with sizes, and do nothing")
	abandon := fs.Bool("abandon", false, "release what an unfinished restore to the target holds, and leave the target as it is")
	show := fs.Bool("progress", false, "show progress on standard error, even if that is no terminal")
	fs.BoolVar(&r.Recursive, "r", false, "restore the copies below, too; with -file, all that a folder holds")
	fs.StringVar(&one.Path, "file", "", "restore one file or folder, by its `path` on the source or in the dataset")
	fs.BoolVar(&one.Setuid, "setuid", false, "with -file, keep setuid and setgid bits, and capabilities")
	return &ffcli.Command{
		Name:       "restore",
		ShortUsage: "zreplctl restore [-n] [-r] [-progress] [flags] job dataset[@snapshot] target\n  zreplctl restore -file PATH [-n] [-r] [-setuid] [-progress] [flags] job [[dataset]@snapshot | dataset] target\n  zreplctl restore -abandon [-n] [flags] job target",
		ShortHelp:  "Make a new dataset or file of this host from a copy, and overwrite nothing.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			given := map[string]bool{}
			fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
			switch {
			case given["file"] && *abandon || given["setuid"] && !given["file"]:
				return cli.Usagef("restore takes -setuid only with -file, and -abandon only without")
			case given["file"]:
				if err := parseFile(one, args); err != nil {
					return err
				}
				one.Recursive = r.Recursive
				return g.restoreFile(ctx, args[0], one, *dry, *show)
			case *abandon && (len(args) != 2 || r.Recursive):
				return cli.Usagef("restore -abandon requires a job and a target, and no -r")
			case *abandon:
				r.Target = args[1]
				return g.abandonRestore(ctx, args[0], r, *dry)
			case len(args) != 3:
				return cli.Usagef("restore requires a job, a dataset and a target")
			}
			var kind dataset.Kind
			r.Target = args[2]
			if r.Dataset, kind, r.Snapshot = dataset.Split(args[1]); kind != 0 && (kind != dataset.Snapshot || dataset.CheckShort(r.Snapshot) != nil) {
				return cli.Usagef("%q is not a dataset or a snapshot", args[1])
			}
			return g.restore(ctx, args[0], r, *dry, *show)
		},
	}
}

// prepareRestore finds the job, which must have copies here.
func (g *globals) prepareRestore(name string, r *job.Restore) error {
	c, j, err := g.job(name)
	if err != nil {
		return err
	}
	if !j.Receives() && j.Type != config.Push { // a push job's are at its sink
		err := cli.WithStatus(cli.Usage, cli.Cannot("restore from job", name, fmt.Errorf("a job of type %s has no copies on this host", j.Type)))
		return cli.Hint(err, "run zreplctl restore on the host that receives")
	}
	programs, err := findPrograms()
	if err != nil {
		return err
	}
	r.Jobs = c.Jobs
	r.Run = &job.Run{Global: c.Global, Job: j, Programs: programs, Say: g.sayOf(j)}
	return nil
}

func (g *globals) restore(ctx context.Context, name string, r *job.Restore, dry, show bool) error {
	if err := g.prepareRestore(name, r); err != nil {
		return err
	}
	do := func(ctx context.Context) ([]*job.RestorePart, error) { return g.watchRestore(ctx, r, show) }
	if dry {
		do = r.Plan
	}
	parts, err := do(ctx)
	if err != nil && len(parts) == 0 {
		return restoreError(r.Dataset, err)
	}
	errs, unfinished := []error{restoreError(r.Dataset, err)}, false
	for _, p := range parts {
		if p.Err != nil {
			errs = append(errs, restoreError(p.Copy, p.Err))
			unfinished = unfinished || p.State != job.RestoreMissing && p.State != job.RestoreDone
		}
	}
	var printed error
	switch {
	case dry:
		printed = g.printParts(parts)
	case unfinished:
		errs = append(errs, cli.Hint(fmt.Errorf("the restore to %q is not finished", r.Target), "once that is repaired, the same command continues"))
	default:
		printed = g.printNext(parts)
	}
	if printed != nil {
		return cli.Quiet(printed)
	}
	return errors.Join(errs...)
}

// watchRestore restores, and shows a person how far it is.
func (g *globals) watchRestore(ctx context.Context, r *job.Restore, show bool) ([]*job.RestorePart, error) {
	if show || g.stderr.Terminal() {
		out := *g.stderr // what is said meanwhile goes around the view
		r.Run.Tracker, r.Run.Watched = &progress.Tracker{}, true
		defer watch(r.Run.Tracker, nil, newViewer(&out, g.stderr, g.stdout))()
	}
	return r.Do(ctx)
}

// printParts prints what would be done, a dataset a line.
func (g *globals) printParts(parts []*job.RestorePart) error {
	for _, p := range parts {
		size := "-"
		if p.Size > 0 {
			size = fmt.Sprint(p.Size)
		}
		if err := g.stdout.Record(string(p.State), p.From(), p.Target, size); err != nil {
			return err
		}
	}
	return nil
}

// printNext prints the commands that a person runs next. What is below a dataset
// is named, too: activate -r would take in what came from elsewhere.
func (g *globals) printNext(parts []*job.RestorePart) error {
	for _, p := range parts {
		if p.State != job.RestoreDone {
			continue
		}
		commands := []string{"zreplctl activate " + shellWord(p.Target)}
		if p.Locked {
			commands = []string{"zfs load-key " + shellWord(p.Target), commands[0]}
		}
		for _, command := range commands {
			if err := g.stdout.Record(command); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *globals) abandonRestore(ctx context.Context, name string, r *job.Restore, dry bool) error {
	if err := g.prepareRestore(name, r); err != nil {
		return err
	}
	released, err := r.Abandon(ctx, dry)
	if err == nil && len(released) == 0 {
		g.say("nothing is held for a restore from job %q to %q%s", name, r.Target, theirsToo(r))
	}
	for _, snapshot := range released {
		if err := g.stdout.Record(snapshot); err != nil {
			return cli.Quiet(err)
		}
	}
	return restoreError(r.Target, err)
}

// theirsToo says how the target of a client's restore is named at its sink.
func theirsToo(r *job.Restore) string {
	if r.Run.Job.Type != config.PushSink || r.Theirs {
		return ""
	}
	return fmt.Sprintf("; a restore by the job's client is %s here", shellWord("/"+r.Target))
}

// restoreError says what went wrong, and with which exit status.
func restoreError(name string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, restoreError(name, e))
		}
		return errors.Join(all...)
	}
	advice, link := (*job.AdvisedError)(nil), (*transfer.LinkError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, job.ErrServed):
		return cli.Hint(cli.WithStatus(cli.TryLater, cli.Cannot("restore", name, err)), "its restore may be active; if it is not to go on, zreplctl stop ends its connections")
	case errors.Is(err, job.ErrRestoring), errors.Is(err, job.ErrRunning), errors.As(err, &link):
		return cli.WithStatus(cli.TryLater, cli.Cannot("restore", name, err))
	case errors.As(err, &advice):
		return cli.Hint(cli.Cannot("restore", name, err), "%s", clean.Line(advice.Hint(), maxShown))
	}
	return cli.Cannot("restore", name, err)
}
