package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/pause"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// oneJob is a command about one job.
func (g *globals) oneJob(name, usage, help string, fs *flag.FlagSet, do func(context.Context, *config.Config, *config.Job) error) *ffcli.Command {
	return &ffcli.Command{Name: name, ShortUsage: "zreplctl " + name + " " + usage, ShortHelp: help, FlagSet: fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s requires the name of one job", name)
			}
			c, j, err := g.job(args[0])
			if err != nil {
				return err
			}
			return do(ctx, c, j)
		}}
}

// request names a job to the daemon.
func request(c *config.Config, j *config.Job) (control.Request, error) {
	path, err := filepath.Abs(c.Path)
	return control.Request{Job: j.Name, Config: path}, err
}

func stopCommand(g *globals) *ffcli.Command {
	return g.oneJob("stop", "[flags] job", "End the run of a job in the daemon, and the connections of its clients.", g.flags("stop"),
		func(ctx context.Context, c *config.Config, j *config.Job) error {
			r, err := request(c, j)
			if err != nil {
				return err
			}
			stopped, err := control.Stop(ctx, c.Global.Control, r)
			switch {
			case err != nil:
				return askError("stop job", j.Name, err)
			case stopped == 0:
				g.say("job %q: nothing is on", j.Name)
			}
			return nil
		})
}

func pauseCommand(g *globals) *ffcli.Command {
	flags := g.flags("pause")
	length := flags.String("for", "", "resume the job after `duration`, as 2h or 1d")
	return g.oneJob("pause", "[-for DURATION] [flags] job", "Let the daemon start no run of a job, and let no client of it in.", flags,
		func(ctx context.Context, c *config.Config, j *config.Job) error {
			var until time.Duration
			if *length != "" {
				var err error
				if until, err = config.ParseDuration(*length); err != nil || until <= 0 {
					return cli.Usagef("-for: %q is not a duration: write 90s, 10m, 1h30m or 1d", *length)
				}
			}
			if err := pause.Set(state.Of(c.Global), j.Name, time.Now(), until); err != nil {
				return cli.Cannot("pause job", j.Name, err)
			}
			return g.look(ctx, c, j)
		})
}

func resumeCommand(g *globals) *ffcli.Command {
	return g.oneJob("resume", "[flags] job", "End the pause of a job.", g.flags("resume"),
		func(ctx context.Context, c *config.Config, j *config.Job) error {
			was, err := pause.Clear(state.Of(c.Global), j.Name, time.Now())
			if err != nil {
				return cli.Cannot("resume job", j.Name, err)
			}
			if !was {
				g.say("job %q was not paused", j.Name)
			}
			return g.look(ctx, c, j)
		})
}

// look makes a daemon look at whether the job is paused. Without one, the next
// will.
func (g *globals) look(ctx context.Context, c *config.Config, j *config.Job) error {
	r, err := request(c, j)
	if err != nil {
		return err
	}
	err = control.Look(ctx, c.Global.Control, r)
	if errors.Is(err, control.ErrAway) || errors.Is(err, control.ErrNoJob) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return askError("tell the daemon of job", j.Name, err)
	}
	return nil
}
