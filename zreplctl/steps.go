package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/listing"
)

// memory is how much the garbage collector lets steps use before it works
// harder, in bytes.
const memory = 256 << 20

// steps is the command line of zreplctl steps.
type steps struct {
	g       *globals
	rules   []mapfilter.Rule
	state   string
	initial string
	send    string
	decrypt bool
	newest  bool
	policy  plan.Policy
}

func stepsCommand(g *globals) *ffcli.Command {
	s := &steps{g: g}
	fs := g.flags("steps")
	fs.Func("r", "map datasets by `pattern=result`; may be repeated (without it, names stay the same)", s.addRule)
	fs.StringVar(&s.state, "state", "", "read what else decides from `file`; see zreplctl(8)")
	fs.BoolVar(&s.policy.Merge, "merge", false, "join the steps that one zfs send -I can do")
	fs.StringVar(&s.initial, "initial", string(plan.MostRecent), "`policy` for datasets that the target lacks: most_recent, all, fail")
	fs.StringVar(&s.policy.Prefix, "prefix", "", "send only snapshots whose name starts with `text`")
	fs.BoolVar(&s.newest, "newest", false, "send only the newest snapshot of each dataset")
	fs.StringVar(&s.send, "send", "L", "options of zfs send, as `letters` of wLec; an encrypted source always has w")
	fs.BoolVar(&s.decrypt, "decrypt", false, "allow encrypted datasets to be sent as plain text")
	return &ffcli.Command{
		Name:       "steps",
		ShortUsage: "zreplctl steps [-r pattern=result ...] [-state file] [-merge] [-newest] [flags] source-list target-list",
		ShortHelp:  "Print the steps that replicate what one zfs list shows to what another shows.",
		FlagSet:    fs,
		Exec:       s.run,
	}
}

func (s *steps) addRule(text string) error {
	pattern, result, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("no = in rule %q", text)
	}
	pos := mapfilter.Pos{File: "-r " + strconv.Itoa(len(s.rules)+1)}
	s.rules = append(s.rules, mapfilter.Rule{Pattern: pattern, Result: result, Pos: pos})
	return nil
}

func (s *steps) run(_ context.Context, args []string) error {
	if len(args) != 2 {
		return cli.Usagef("steps requires a source list and a target list, not %d arguments", len(args))
	}
	sides, err := s.prepare()
	if err != nil {
		return err
	}
	// Nearly all that is read stays until the end: collecting garbage before
	// memory is short would be for nothing.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(memory)
	if err := s.read(sides, args[0], args[1]); err != nil {
		return err
	}
	results, err := sides.Plan(s.policy)
	if err != nil {
		return cli.WithStatus(cli.Usage, err)
	}
	return cli.Quiet(s.g.printResults(results, nil, false))
}

// prepare checks the flags.
func (s *steps) prepare() (*listing.Sides, error) {
	var err error
	if s.policy.Initial, err = plan.ParseInitial(s.initial); err != nil {
		return nil, cli.Usagef("-initial: %w", err)
	}
	if s.newest && s.policy.Initial == plan.Every {
		return nil, cli.Usagef("-newest is not allowed with -initial all")
	}
	if s.newest {
		s.policy.Rules = &plan.Rules{Newest: true}
	}
	sides := &listing.Sides{Decrypt: s.decrypt}
	if sides.Send, err = dataset.ParseSendOptions(s.send); err != nil {
		return nil, cli.Usagef("-send: %w", err)
	}
	if len(s.rules) == 0 {
		return sides, nil
	}
	rules, err := mapfilter.Parse(s.rules)
	if err == nil {
		err = rules.CheckMap()
	}
	if err != nil {
		return nil, cli.WithStatus(cli.Usage, err)
	}
	sides.Map = rules.Map
	return sides, nil
}

// read reads both lists at the same time.
func (s *steps) read(sides *listing.Sides, source, target string) error {
	read := func(path string, into **listing.List) error {
		return s.open(path, func(r io.Reader) (err error) { *into, err = listing.Read(r, path); return err })
	}
	other := make(chan error, 1)
	go func() { other <- read(target, &sides.Target) }()
	err := read(source, &sides.Source)
	if err2 := <-other; err == nil {
		err = err2
	}
	if err != nil || s.state == "" {
		return err
	}
	return s.open(s.state, func(r io.Reader) (err error) { sides.State, err = listing.ReadState(r, s.state); return err })
}

// open reads a file, - being standard input.
func (s *steps) open(path string, read func(io.Reader) error) error {
	if path == "-" {
		return read(s.g.stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return cli.Cannot("open", path, errors.Unwrap(err))
	}
	defer f.Close()
	return read(f)
}
