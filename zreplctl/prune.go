package main

import (
	"context"
	"errors"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/upkeep"
)

func pruneCommand(g *globals) *ffcli.Command {
	return g.upkeepCommand("prune", "prune",
		"Destroy the snapshots that a job's policy does not keep, and print their names.",
		func(j *config.Job) error {
			if !j.Prunes() {
				return errors.New("it has no retention policy")
			}
			return nil
		},
		func(u *upkeep.Upkeep) func(context.Context) error { return u.Prune })
}
