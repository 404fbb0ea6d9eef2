// Zmapfilter filters or maps dataset names by rules: see zmapfilter(1).
package main

import (
	"context"
	"flag"
	"io"
	"os"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
)

// A filter leaves nothing half done, so that signals may end it as they are.
func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	f := &filter{in: stdin, out: stdout, errs: stderr}
	tool := cli.Tool{Command: command(f), Stdout: stdout, Stderr: stderr}
	return tool.Run(ctx, args)
}

func command(f *filter) *ffcli.Command {
	fs := flag.NewFlagSet("zmapfilter", flag.ContinueOnError)
	var s source
	fs.Var(&s.rules, "r", "add a rule, `PATTERN=RESULT`; may be repeated")
	fs.Var(&s.files, "f", "read rules from `file`, a YAML dictionary; may be repeated")
	fs.BoolVar(&f.mapping, "map", false, "print the source, the target and the rest of each line that is mapped")
	fs.BoolVar(&f.inverting, "invert", false, "read targets, and print the target, the source and the rest of each line")
	fs.BoolVar(&f.explaining, "explain", false, "print the name, the result and the deciding rule for every line")
	fs.BoolVar(&f.nul, "0", false, "end records with a NUL byte instead of a line break")
	fs.BoolVar(&f.quiet, "q", false, "print nothing, and end at the first name that matches")
	return &ffcli.Command{
		Name:       "zmapfilter",
		ShortUsage: "zmapfilter [-0 -q] [-map | -invert | -explain] [-f file ...] [-r PATTERN=RESULT ...]",
		ShortHelp:  "Filter or map lines by the dataset name in their first column.",
		FlagSet:    fs,
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q: names come from standard input", args[0])
			}
			if err := f.modes(); err != nil {
				return err
			}
			rules, err := s.parse(f.use())
			if err != nil {
				return cli.WithStatus(cli.Usage, err)
			}
			f.rules = rules
			return f.run()
		},
	}
}
