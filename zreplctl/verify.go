package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/verify"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func verifyCommand(g *globals) *ffcli.Command {
	fs := g.flags("verify")
	dry := fs.Bool("n", false, "print what would be compared, and compare nothing")
	sample := fs.String("sample", "", "compare a `part` of the datasets, such as 1/30: those compared longest ago")
	pattern := fs.String("dataset", "", "compare only the sources that match a `pattern`, such as tank/home<")
	deep := fs.Bool("deep", false, "compare every common snapshot, not only the newest")
	asJSON := fs.Bool("json", false, "print one JSON object for each comparison, a line each")
	return &ffcli.Command{
		Name:       "verify",
		ShortUsage: "zreplctl verify [-n] [-sample 1/30] [-dataset PATTERN] [-deep] [-json] [flags] job",
		ShortHelp:  "Compare copies with their sources, without sending them.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("verify requires the name of one job")
			}
			v := &job.Verify{Deep: *deep, Dry: *dry}
			var err error
			if v.Part, v.Of, err = parseSample(*sample); err != nil {
				return err
			}
			if *pattern != "" {
				rules, err := mapfilter.Parse([]mapfilter.Rule{{Pattern: *pattern, Result: "ok"}})
				if err != nil {
					return cli.Usagef("-dataset: %v", err)
				}
				v.Pass = rules.Pass
			}
			return g.verify(ctx, args[0], v, *asJSON)
		},
	}
}

// parseSample reads a part of a whole; 0 of 0 is all.
func parseSample(text string) (part, of int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	a, b, _ := strings.Cut(text, "/")
	part, wrong := strconv.Atoi(a)
	of, wrongToo := strconv.Atoi(b)
	if wrong != nil || wrongToo != nil || part < 1 || of < part || of > 10_000 {
		return 0, 0, cli.Usagef("-sample %q is no part of a whole, such as 1/30", text)
	}
	return part, of, nil
}

func (g *globals) verify(ctx context.Context, name string, v *job.Verify, asJSON bool) error {
	c, j, err := g.job(name)
	if err != nil {
		return err
	}
	if err := replicates("verify job", j); err != nil {
		return err
	}
	programs, err := findPrograms()
	if err != nil {
		return err
	}
	count, printed := map[verify.Outcome]int{}, error(nil)
	v.Run = &job.Run{Global: c.Global, Job: j, Programs: programs, Say: g.sayOf(j)}
	v.Each = func(r verify.Result) error {
		count[r.Outcome]++
		if asJSON {
			printed = g.stdout.JSON(r)
		} else {
			printed = g.stdout.Record(string(r.Outcome), dash(r.Source), dash(r.Target), dash(shortOf(r)), dash(r.Why))
		}
		return printed
	}
	err = v.Do(ctx)
	if printed != nil {
		return cli.Quiet(printed)
	}
	if len(count) > 0 {
		g.sayOf(j)(counted(count))
	}
	return verifyError(name, count, err)
}

func shortOf(r verify.Result) string {
	if r.Snapshot == "" {
		return ""
	}
	return "@" + r.Snapshot
}

// counted is the last line.
func counted(count map[verify.Outcome]int) string {
	var parts []string
	for _, o := range []verify.Outcome{verify.Same, verify.Differs, verify.Cannot, verify.Skipped, job.WouldCompare} {
		if n := count[o]; n > 0 || o == verify.Same && count[job.WouldCompare] == 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, map[verify.Outcome]string{verify.Same: "ok", verify.Differs: "differ",
				verify.Cannot: "cannot be compared", verify.Skipped: "skipped", job.WouldCompare: "would be compared"}[o]))
		}
	}
	return strings.Join(parts, ", ")
}

// verifyError says what went wrong, and with which exit status.
func verifyError(name string, count map[verify.Outcome]int, err error) error {
	link := (*transfer.LinkError)(nil)
	switch {
	case err != nil && (errors.As(err, &link) || errors.Is(err, job.ErrVerifying)):
		return cli.WithStatus(cli.TryLater, cli.Cannot("verify job", name, err))
	case err != nil:
		return cli.Cannot("verify job", name, err)
	case count[verify.Differs] > 0:
		return cli.Hint(fmt.Errorf("found differences in %s of job %q", plural.Of(count[verify.Differs], "copy"), name),
			`see "A copy differs from its source" in zrepl-recovery(7)`)
	case count[verify.Cannot] > 0:
		return fmt.Errorf("cannot compare %s of job %q", plural.Of(count[verify.Cannot], "copy"), name)
	}
	return nil
}
