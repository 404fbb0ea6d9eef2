// Zstdinserver hands its standard input and output to zreplctl's daemon: see
// zstdinserver(8).
package main

import (
	"context"
	"flag"
	"io"
	"os"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/transport"
)

// sockDir is where the daemon has its sockets unless its configuration says
// otherwise.
const sockDir = "/var/run/zreplctl/stdinserver"

func main() {
	os.Exit(run(cli.Context(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	tool := cli.Tool{Command: command(stdin, stdout), Stdout: stdout, Stderr: stderr}
	return tool.Run(ctx, args)
}

func command(stdin, stdout *os.File) *ffcli.Command {
	fs := flag.NewFlagSet("zstdinserver", flag.ContinueOnError)
	dir := fs.String("sockdir", sockDir, "the `directory` of the daemon's sockets")
	return &ffcli.Command{
		Name:       "zstdinserver",
		ShortUsage: "zstdinserver [-sockdir directory] client_identity",
		ShortHelp:  "Hand standard input and output to the replication daemon, for one client.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("one client identity is required, not %d arguments", len(args))
			}
			status, err := transport.Pass(ctx, *dir, args[0], stdin, stdout)
			if err != nil {
				return cli.Cannot("serve", args[0], err)
			}
			if status != 0 {
				return cli.WithStatus(status, nil)
			}
			return nil
		},
	}
}
