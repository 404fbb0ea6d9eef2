// Zreplctl reads the configuration and puts the small programs together into
// whole replication jobs: see zreplctl(8).
package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
)

func main() {
	ctx, cancel := context.WithCancelCause(cli.Context())
	child.Watch(func() { cancel(errors.New("the daemon that started this is gone")) })
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// subcommands in the order in which they are listed.
func subcommands() []func(*globals) *ffcli.Command {
	return []func(*globals) *ffcli.Command{
		checkCommand,
		listCommand,
		configCommand,
		showCommand,
		stepsCommand,
		planCommand,
		pullCommand,
		pushCommand,
		localCommand,
		autosnapCommand,
		pruneCommand,
		serveCommand,
		holdsCommand,
		abandonCommand,
		daemonCommand,
		statusCommand,
		initCommand,
		completionCommand,
	}
}

func run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	root, notEnv := newRoot(&globals{stdin: stdin, stdout: stdout, stderr: stderr})
	tool := cli.Tool{Command: root, NotEnv: notEnv, Stdout: stdout, Stderr: stderr}
	return tool.Run(ctx, args)
}

// newRoot builds the tree of commands, and names the flags that no
// environment variable sets.
func newRoot(g *globals) (root *ffcli.Command, notEnv []string) {
	root = &ffcli.Command{
		Name:       "zreplctl",
		ShortUsage: "zreplctl [flags] subcommand [flags] [argument ...]",
		ShortHelp:  "Run replication jobs of ZFS datasets from a configuration.",
		FlagSet:    g.flags("zreplctl"),
		Exec:       unknownCommand,
	}
	for _, command := range subcommands() {
		root.Subcommands = append(root.Subcommands, command(g))
	}
	return root, []string{"skip"}
}

func unknownCommand(_ context.Context, args []string) error {
	if len(args) == 0 {
		return cli.Usagef("no subcommand")
	}
	return cli.Usagef("unknown subcommand %q", args[0])
}
