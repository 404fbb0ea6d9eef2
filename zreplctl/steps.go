package main

import (
	"bufio"
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
	policy  plan.Policy
}

func stepsCommand(g *globals) *ffcli.Command {
	s := &steps{g: g}
	fs := g.flags("steps")
	fs.Func("r", "send the datasets that `pattern=result` maps; repeatable (without: each to its own name)", s.addRule)
	fs.StringVar(&s.state, "state", "", "read what else decides from `file`: name, key and value (see zreplctl(8))")
	fs.BoolVar(&s.policy.Merge, "merge", false, "one line for each stream that brings several snapshots (send -I)")
	fs.StringVar(&s.initial, "initial", string(plan.MostRecent), "`policy` for what the target lacks: most_recent, all, fail")
	fs.StringVar(&s.policy.Prefix, "prefix", "", "send only snapshots whose name starts with `text`")
	fs.StringVar(&s.send, "send", "L", "options of zfs send, as `letters` of wLec; an encrypted source always has w")
	fs.BoolVar(&s.decrypt, "decrypt", false, "send encrypted datasets as plain text")
	return &ffcli.Command{
		Name:       "steps",
		ShortUsage: "zreplctl steps [-r pattern=result ...] [-state file] [-merge] [flags] source-list target-list",
		ShortHelp:  "Print the steps that would replicate what one zfs list shows to what another shows.",
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
		return cli.Usagef("want a source list and a target list, got %d arguments", len(args))
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
	out := bufio.NewWriterSize(s.g.stdout, 64<<10)
	for i := range results {
		printResult(out, &results[i])
	}
	return cli.Quiet(out.Flush())
}

// prepare checks the flags.
func (s *steps) prepare() (*listing.Sides, error) {
	var err error
	if s.policy.Initial, err = plan.ParseInitial(s.initial); err != nil {
		return nil, cli.Usagef("-initial: %w", err)
	}
	sides := &listing.Sides{Decrypt: s.decrypt}
	if sides.Send, err = plan.ParseOptions(s.send); err != nil {
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

// printResult writes KIND⇥SOURCE⇥TARGET⇥FROM⇥TO⇥REASON, a line for each step,
// or one for why there is none.
func printResult(w *bufio.Writer, r *plan.Result) {
	for _, step := range r.Steps {
		record(w, string(step.Kind), r.Source, r.Target, step.From, step.To, step.Reason)
	}
	var base *dataset.Version
	if r.Base != nil {
		base = &r.Base.Sender
	}
	switch {
	case r.Conflict != nil:
		record(w, string(r.Conflict.Reason), r.Source, r.Target, base, nil, r.Conflict.Text)
	case r.UpToDate():
		record(w, string(plan.UpToDate), r.Source, r.Target, base, nil, r.Discard)
	}
}

func record(w *bufio.Writer, kind, source, target string, from, to *dataset.Version, reason string) {
	field := func(s string, end byte) {
		if s == "" {
			s = "-"
		}
		w.WriteString(s)
		w.WriteByte(end)
	}
	version := func(v *dataset.Version) {
		if v == nil {
			w.WriteByte('-')
		} else {
			w.WriteByte(byte(v.Kind))
			w.WriteString(v.Name)
		}
		w.WriteByte('\t')
	}
	field(kind, '\t')
	field(source, '\t')
	field(target, '\t')
	version(from)
	version(to)
	field(reason, '\n')
}
