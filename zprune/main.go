// Zprune destroys snapshots by a retention policy: see zprune(8).
package main

import (
	"context"
	"flag"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
)

// A reader of our output that goes away must not stop what has begun: SIGPIPE
// is caught, which children do not inherit, and nothing listens.
func main() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(cli.Context(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &pruner{in: stdin, out: newOutput(stdout), errs: cli.NewOut(stderr), rules: newRules()}
	tool := cli.Tool{Command: command(p), Stdout: stdout, Stderr: stderr}
	return tool.Run(ctx, args)
}

func command(p *pruner) *ffcli.Command {
	fs := flag.NewFlagSet("zprune", flag.ContinueOnError)
	fs.Var(&p.rules.grids, "grid", "keep what `grid` keeps, such as '1x1h(keep=all) | 24x1h | 35x1d'; may be repeated")
	fs.Var(&p.rules.calendars, "calendar", "keep the first snapshot of each of the newest `periods`, such as 'hourly=24 daily=35 monthly=12'; may be repeated")
	fs.Var(&p.rules.lasts, "keep-last", "keep the newest `n`")
	fs.Var(&p.rules.regexes, "keep-regex", "keep snapshots whose names after the @ match `regex`; may be repeated")
	fs.Var(&p.rules.frees, "free-below", "keep everything unless less than `size` of the pool is free, such as 10% or 500G")
	fs.StringVar(&p.rules.file, "policy", "", "keep what the rules in `file` keep, a policy in YAML")
	fs.StringVar(&p.prefix, "prefix", "zrepl_", "consider only snapshots whose names begin with `text`")
	fs.Var(&p.columns, "cols", "`names` of the columns, joined by commas: name creation createtxg userrefs clones guid -")
	fs.StringVar(&p.protect.file, "protect", "", "keep the snapshots that `file` lists by name or guid, one a line")
	fs.Var(&p.now, "now", "begin grids and calendars at `time` instead of at the newest snapshot")
	fs.BoolVar(&p.recursive, "r", false, "also consider the datasets below the arguments")
	fs.BoolVar(&p.unsorted, "unsorted", false, "allow the lines of a dataset to be apart; holds all lines in memory")
	fs.BoolVar(&p.explain, "explain", false, "print each line after keep or destroy and the rule that decided")
	fs.BoolVar(&p.timeline, "timeline", false, "draw what is kept and what is destroyed over time")
	fs.StringVar(&p.simulate, "simulate", "", "use no ZFS: print what the policy keeps after a `life` such as 'every 10m for 2y'")
	fs.BoolVar(&p.destroy, "destroy", false, "destroy what the policy does not keep, and print the names")
	fs.IntVar(&p.max, "max", 0, "with -destroy: fail, and destroy nothing, if more than `n` would be destroyed; 0: no limit")
	fs.BoolVar(&p.dryRun, "n", false, "with -destroy: print what would be destroyed, and destroy nothing")
	fs.BoolVar(&p.nul, "0", false, "end records with a NUL byte instead of a line break")
	return &ffcli.Command{
		Name: "zprune",
		ShortUsage: "zprune [-0nr] [-grid grid] [-calendar periods] [-keep-last n] [-keep-regex regex]\n" +
			"[-policy file] [-free-below size] [-prefix text] [-protect file] [-cols names]\n" +
			"[-now time] [-unsorted] [-explain | -timeline] [-destroy [-max n]]\n" +
			"[-simulate life] [dataset ...]",
		ShortHelp: "Print the snapshots that a policy does not keep, or destroy them. A snapshot is\n" +
			"destroyed only if no rule keeps it. Without arguments, read lines from standard input:\n" +
			"zfs list -Hp -t snapshot -o name,creation,createtxg,userrefs",
		FlagSet: fs,
		Exec:    p.run,
	}
}
