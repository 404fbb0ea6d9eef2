package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func pullCommand(g *globals) *ffcli.Command {
	return g.runCommand(config.Pull, "Replicate what another host offers to this one, and prune here.")
}

func pushCommand(g *globals) *ffcli.Command {
	return g.runCommand(config.Push, "Take snapshots, replicate them to another host, and prune here.")
}

func localCommand(g *globals) *ffcli.Command {
	return g.runCommand(config.Local, "Take snapshots, replicate them within this host, and prune both sides.")
}

// runCommand is the command that runs a job of one type once.
func (g *globals) runCommand(t config.Type, help string) *ffcli.Command {
	fs := g.flags(string(t))
	skip := fs.String("skip", "", "leave out `parts`: snapshot, replicate, prune, joined by commas")
	var lines cli.Descriptor
	fs.Var(&lines, "progress-fd", "write progress as lines of JSON to descriptor `n`")
	show := fs.Bool("progress", false, "show progress on standard error, even if that is no terminal")
	retries := fs.Int("retries", 6, "if the link is lost, reconnect at most so `many` times in a row")
	return &ffcli.Command{
		Name:       string(t),
		ShortUsage: fmt.Sprintf("zreplctl %s [-skip PARTS] [flags] job", t),
		ShortHelp:  help,
		FlagSet:    fs,
		Exec: reportsEnd(fs, func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s requires the name of one job", t)
			}
			parts, err := parseSkip(*skip)
			if err != nil {
				return err
			}
			c, j, err := g.job(args[0])
			if err != nil {
				return err
			}
			if j.Type != t {
				return cli.WithStatus(cli.Usage, fmt.Errorf("job %q is of type %s, not %s", j.Name, j.Type, t))
			}
			var program *cli.Out
			var person *viewer
			if *show || g.stderr.Terminal() {
				out := *g.stderr // what is said meanwhile goes around the view
				person = newViewer(&out, g.stderr, g.stdout)
			}
			if w := lines.Writer(); w != nil {
				program = cli.NewOut(w)
			}
			handled, err := g.daemonRun(ctx, c, control.Request{Job: j.Name, Skip: *skip, Retries: retries}, program, person)
			if handled || err != nil {
				return err
			}
			r := &job.Run{Global: c.Global, Job: j, Retries: *retries, Tracker: &progress.Tracker{},
				Watched: person != nil || program != nil}
			stop := watch(r.Tracker, program, person)
			err = g.runJob(ctx, r, parts)
			stop()
			return err
		}),
	}
}

// daemonRun lets a running daemon that has the job run it.
func (g *globals) daemonRun(ctx context.Context, c *config.Config, r control.Request, program *cli.Out, person *viewer) (handled bool, err error) {
	if c.Path == "-" {
		return false, nil
	}
	if r.Config, err = filepath.Abs(c.Path); err != nil {
		return false, err
	}
	told, done := told(program, person)
	code, handled, err := control.RunJob(ctx, c.Global.Control, r,
		control.Follower{Stdout: g.stdout, Stderr: g.stderr, Progress: told})
	done()
	if err == nil && code != 0 {
		err = cli.WithStatus(code, nil)
	}
	return handled, err
}

func (g *globals) runJob(ctx context.Context, r *job.Run, skip map[string]bool) (err error) {
	j := r.Job
	if r.Programs, err = findPrograms(); err != nil {
		return err
	}
	r.Programs.Daemon = os.Getenv(control.ChildEnv) != ""
	r.NoReplication = skip["replicate"]
	r.Say = g.sayOf(j)
	u, err := g.upkeep(j, g.taken, g.destroyed)
	if err != nil {
		return err
	}
	g.join(r, u)
	if j.Snapshots() && !skip["snapshot"] {
		r.Before = u.Snapshot
	}
	if j.Prunes() && !skip["prune"] {
		r.After = u.Prune
	}
	r.LetGo, r.Gone = !skip["prune"], g.destroyed
	return runError(j, r.Do(ctx))
}

// sayOf returns what tells a person of something in a job that is no error.
func (g *globals) sayOf(j *config.Job) func(string) {
	return func(text string) { g.say("%s: %s", j.Name, text) }
}

// replicates refuses what only a job that replicates by itself can do.
func replicates(verb string, j *config.Job) error {
	if j.Replicates() {
		return nil
	}
	return cli.WithStatus(cli.Usage, cli.Cannot(verb, j.Name, fmt.Errorf("a job of type %s does not replicate", j.Type)))
}

// planError is runError for what changes nothing.
func planError(name string, err error) error {
	if link := (*transfer.LinkError)(nil); errors.As(err, &link) {
		return cli.WithStatus(cli.TryLater, cli.Cannot("plan job", name, err))
	}
	return cli.Cannot("plan job", name, err)
}

// runError says which job failed, and with which exit status. Of several
// errors each is told.
func runError(j *config.Job, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, runError(j, e))
		}
		return errors.Join(all...)
	}
	var some *job.DatasetsError
	var link *transfer.LinkError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, job.ErrRunning):
		return cli.WithStatus(cli.TryLater, cli.Cannot("run job", j.Name, err))
	case errors.As(err, &some):
		return errors.Join(hinted(j.Name, some.Each())...)
	case errors.As(err, &link):
		return cli.WithStatus(cli.TryLater, cli.Cannot("run job", j.Name, err))
	case errors.Is(err, fault.Busy):
		return cli.Hint(cli.Cannot("run job", j.Name, err), "%s", busyHint)
	}
	return cli.Cannot("run job", j.Name, err)
}

// busyHint is for a snapshot that cannot be destroyed, is not held and has no clone.
const busyHint = "a zfs send that is not zreplctl's reads it, or a zreplctl verify that began more than a day ago; the next run after that destroys it"
