// Zreplctl reads the configuration and puts the small programs together into
// whole replication jobs: see zreplctl(8).
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
)

// A reader of our output that goes away must not stop what has begun: SIGPIPE
// is caught, which children do not inherit, and nothing listens.
func main() {
	sparingly()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(cli.Context())
	child.Watch(func() { cancel(errors.New("the daemon that started this is gone")) })
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// sparingly collects garbage twice as often as usual, unless $GOGC says
// otherwise: the lists of a million snapshots then take a fifth less memory,
// and a tenth more time.
func sparingly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// subcommands in the order in which they are listed.
func subcommands() []func(*globals) *ffcli.Command {
	return []func(*globals) *ffcli.Command{
		checkCommand,
		listCommand,
		configCommand,
		showCommand,
		stepsCommand,
		digestCommand,
		planCommand,
		verifyCommand,
		findCommand,
		restoreCommand,
		exportCommand,
		importSeedCommand,
		pullCommand,
		pushCommand,
		localCommand,
		autosnapCommand,
		pruneCommand,
		serveCommand,
		holdsCommand,
		abandonCommand,
		forgetCommand,
		activateCommand,
		daemonCommand,
		reloadCommand,
		stopCommand,
		pauseCommand,
		resumeCommand,
		nextCommand,
		statusCommand,
		monitorCommand,
		metricsCommand,
		logCommand,
		notifyCommand,
		reportCommand,
		initCommand,
		importCommand,
		completionCommand,
	}
}

func run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	root, notEnv := newRoot(&globals{stdin: stdin, protocol: stdout, stdout: cli.NewOut(stdout), stderr: cli.NewOut(stderr)})
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
	return root, []string{"skip", "inert", "any", "abandon", "file", "setuid"}
}

func unknownCommand(_ context.Context, args []string) error {
	if len(args) == 0 {
		return cli.Usagef("no subcommand")
	}
	return cli.Usagef("unknown subcommand %q", args[0])
}
