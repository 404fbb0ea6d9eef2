// Zprune decides which snapshots a retention policy lets go: see zprune(8).
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
	fs.Var(&p.rules.grids, "grid", "keep by `grid`, as in '1x1h(keep=all) | 24x1h | 35x1d'; may be repeated")
	fs.Var(&p.rules.lasts, "keep-last", "keep the newest `n`")
	fs.Var(&p.rules.regexes, "keep-regex", "keep what `regex` matches in the name behind the @; may be repeated")
	fs.StringVar(&p.rules.file, "policy", "", "keep by the rules in `file`, a policy in YAML")
	fs.StringVar(&p.prefix, "prefix", "zrepl_", "look only at snapshots whose names begin with `text`")
	fs.Var(&p.columns, "cols", "the columns of the lines, `names` of name creation createtxg userrefs clones guid and -, joined by commas")
	fs.StringVar(&p.protect.file, "protect", "", "`file` of snapshots that stay, by name or guid, one a line")
	fs.Var(&p.now, "now", "begin the grid at `time` instead of the newest snapshot")
	fs.BoolVar(&p.recursive, "r", false, "the datasets below the arguments, too")
	fs.BoolVar(&p.unsorted, "unsorted", false, "the lines of a dataset may stand apart; holds them all in memory")
	fs.BoolVar(&p.explain, "explain", false, "print every line behind its verdict and the rule that decided")
	fs.BoolVar(&p.timeline, "timeline", false, "draw what stays and what goes over time")
	fs.StringVar(&p.simulate, "simulate", "", "no ZFS: print what the policy would hold after a `life`, as in 'every 10m for 2y'")
	fs.BoolVar(&p.destroy, "destroy", false, "destroy what the policy lets go, and print what is destroyed")
	fs.IntVar(&p.max, "max", 0, "with -destroy: destroy nothing if more than `n` would go; 0 is no limit")
	fs.BoolVar(&p.dryRun, "n", false, "with -destroy: destroy nothing, print what would be")
	fs.BoolVar(&p.nul, "0", false, "records end with a NUL instead of a line break")
	return &ffcli.Command{
		Name: "zprune",
		ShortUsage: "zprune [-0nr] [-grid grid] [-keep-last n] [-keep-regex regex] [-policy file]\n" +
			"[-prefix text] [-protect file] [-cols names] [-now time] [-unsorted]\n" +
			"[-explain | -timeline] [-destroy [-max n]] [-simulate life] [dataset ...]",
		ShortHelp: "Print the snapshots that a policy lets go, or destroy them. A snapshot goes only\n" +
			"if every rule lets it go. Without arguments lines are read from standard input:\n" +
			"zfs list -Hp -t snapshot -o name,creation,createtxg,userrefs",
		FlagSet: fs,
		Exec:    p.run,
	}
}
