package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

func reloadCommand(g *globals) *ffcli.Command {
	return &ffcli.Command{
		Name:       "reload",
		ShortUsage: "zreplctl reload [flags]",
		ShortHelp:  "Let the daemon read its configuration again.",
		FlagSet:    g.flags("reload"),
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q", args[0])
			}
			return g.reload(ctx)
		},
	}
}

// reload reads the configuration first: it says where the daemon is, and its
// errors are the same here.
func (g *globals) reload(ctx context.Context) error {
	c, err := g.load()
	if err != nil {
		return err
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return err
	}
	r, err := control.Reload(ctx, c.Global.Control, path)
	if err != nil {
		return askError("reload", c.Path, err)
	}
	if len(r.Errors) > 0 {
		var all []error
		for _, line := range r.Errors {
			all = append(all, errors.New(line))
		}
		return cli.WithStatus(cli.Usage, errors.Join(all...))
	}
	for _, jobs := range []struct {
		what  string
		names []string
	}{{"added", r.Added}, {"removed", r.Removed}, {"changed", r.Changed}} {
		for _, name := range jobs.names {
			if err := g.stdout.Record(name, jobs.what); err != nil {
				return cli.Quiet(err)
			}
		}
	}
	return nil
}

// askError is that of a command that only the daemon can do.
func askError(verb, object string, err error) error {
	if errors.Is(err, control.ErrAway) {
		return cli.WithStatus(cli.TryLater, cli.Hint(cli.Cannot(verb, object, err), "zreplctl daemon starts one"))
	}
	return cli.WithStatus(cli.TryLater, cli.Cannot(verb, object, err))
}
