package main

import (
	"context"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
)

func configCommand(g *globals) *ffcli.Command {
	return &ffcli.Command{
		Name:       "config",
		ShortUsage: "zreplctl config [flags]",
		ShortHelp:  "Print the configuration with every default filled in, as YAML.",
		FlagSet:    g.flags("config"),
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q", args[0])
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			text, err := c.Encode()
			if err != nil {
				return cli.Cannot("print configuration", c.Path, err)
			}
			return cli.Quiet(g.stdout.Text(string(text)))
		},
	}
}
