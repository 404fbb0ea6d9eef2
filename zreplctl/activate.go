package main

import (
	"context"
	"errors"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

func activateCommand(g *globals) *ffcli.Command {
	var a endpoint.Activation
	fs := g.flags("activate")
	dry := fs.Bool("n", false, "print what would be changed, and change nothing")
	fs.BoolVar(&a.Recursive, "r", false, "change the copies below the datasets, too")
	fs.BoolVar(&a.Inert, "inert", false, "do the reverse: make the copies inert, and unmount them")
	fs.BoolVar(&a.Any, "any", false, "allow datasets that zreplctl did not create")
	return &ffcli.Command{
		Name:       "activate",
		ShortUsage: "zreplctl activate [-n] [-r] [-inert] [-any] [flags] dataset ...",
		ShortHelp:  "Make copies normal datasets: remove what makes them inert, and mount them.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("activate requires at least one dataset")
			}
			a.Datasets = args
			return g.activate(ctx, a, *dry)
		},
	}
}

func (g *globals) activate(ctx context.Context, a endpoint.Activation, dry bool) (err error) {
	if a.ZFS, err = zfs.Find(); err != nil {
		return err
	}
	changes, notes, err := a.Plan(ctx)
	if err != nil {
		return activateError(a, err)
	}
	var bad error
	failed := map[string]bool{}
	for _, c := range changes {
		if c.Property == endpoint.RestoreProperty && failed[c.Dataset] {
			continue // or the next try would not find it
		}
		if !dry {
			if err := a.Do(ctx, c); err != nil {
				failed[c.Dataset] = true
				bad = errors.Join(bad, cli.Cannot("change "+c.Property+" of", c.Dataset, err))
				continue
			}
		}
		if err := g.stdout.Record(c.Dataset, c.Property, clean.Line(c.Old, maxShown), clean.Line(c.New, maxShown)); err != nil {
			return cli.Quiet(err)
		}
	}
	for _, note := range notes {
		g.stderr.Say("zreplctl", clean.Line(note, maxShown))
	}
	return bad
}

// maxShown is how much of a value, or of a note, is shown.
const maxShown = 600

func activateError(a endpoint.Activation, err error) error {
	verb := "activate"
	if a.Inert {
		verb = "make inert"
	}
	var none *endpoint.NoCopyError
	switch {
	case errors.As(err, &none) && none.Placeholder:
		return cli.Hint(cli.Cannot(verb, none.Dataset, none), "add -r to change the copies below it")
	case errors.As(err, &none):
		return cli.Hint(cli.Cannot(verb, none.Dataset, none), "nothing was changed; -any allows such datasets")
	}
	return cli.Cannot(verb, a.Datasets[0], err)
}
