package main

import (
	"context"
	"flag"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// reportsEnd adds -status-fd to a command that runs a job: the daemon learns
// from that descriptor why a run failed, and does not read the words that are
// for people.
func reportsEnd(fs *flag.FlagSet, exec func(context.Context, []string) error) func(context.Context, []string) error {
	var status cli.Descriptor
	fs.Var(&status, "status-fd", "write how the command ended as a line of JSON to `descriptor`")
	return func(ctx context.Context, args []string) error {
		err := exec(ctx, args)
		if w := status.Writer(); w != nil {
			// Whoever reads it sees the exit status, too: an error changes nothing.
			cli.NewOut(w).JSON(control.NewEnd(cli.Status(err), cli.Messages(err)))
		}
		return err
	}
}
