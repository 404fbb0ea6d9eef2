// Zsnap takes snapshots of datasets: see zsnap(8).
package main

import (
	"context"
	"flag"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/snap"
)

// A reader of our output that goes away must not stop what has begun: SIGPIPE
// is caught, which children do not inherit, and nothing listens.
func main() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(cli.Context(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &snapper{in: stdin, out: stdout, errs: stderr}
	tool := cli.Tool{Command: command(s), Stdout: stdout, Stderr: stderr}
	return tool.Run(ctx, args)
}

func command(s *snapper) *ffcli.Command {
	fs := flag.NewFlagSet("zsnap", flag.ContinueOnError)
	o := &s.options
	fs.StringVar(&o.Prefix, "prefix", "zrepl_", "begin the names with `text`")
	fs.StringVar(&o.Format, "format", snap.DefaultFormat, "`layout` of the time in the names, as in Go's package time; 000: milliseconds")
	fs.BoolVar(&s.utc, "utc", true, "name the snapshots by UTC; -utc=false: by local time")
	fs.BoolVar(&o.Recursive, "r", false, "also take snapshots of the datasets below")
	fs.Var(&s.properties, "o", "set `property=value` on the snapshots; may be repeated")
	fs.Var(&s.ifOlder, "if-older", "skip datasets that have a snapshot with the prefix younger than `age`, such as 10m")
	fs.BoolVar(&o.IfWritten, "if-written", false, "skip datasets without changes since their last snapshot with the prefix")
	fs.StringVar(&o.Hooks.Before, "before", "", "run `program` for each dataset before its snapshot")
	fs.StringVar(&o.Hooks.After, "after", "", "run `program` for each dataset after its snapshot, always if -before ran")
	fs.DurationVar(&o.Hooks.Timeout, "hook-timeout", time.Minute, "kill a program of -before or -after that runs longer than `duration`")
	fs.StringVar(&s.hookFail, "hook-fail", "skip", "if the program of -before fails, skip its dataset, or stop: `skip|abort`")
	fs.BoolVar(&o.DryRun, "n", false, "print the names of the snapshots that would be taken, and take none")
	fs.BoolVar(&s.nul, "0", false, "end records with a NUL byte instead of a line break")
	return &ffcli.Command{
		Name: "zsnap",
		ShortUsage: "zsnap [-0nr] [-prefix text] [-format layout] [-utc=false] [-o property=value ...]\n" +
			"[-if-older age] [-if-written] [-before program] [-after program]\n" +
			"[-hook-timeout duration] [-hook-fail skip|abort] [dataset ...]",
		ShortHelp: "Take snapshots, in one transaction for each pool, and print their names. Without\n" +
			"arguments, read the datasets from standard input, one a line, in the first column.",
		FlagSet: fs,
		Exec:    s.run,
	}
}
