// Package cli is the common part of all command lines: flags anywhere, the
// environment, usage, errors, exit statuses, signals, and records read and
// written a line at a time.
//
// It promises that all programs behave alike in this. It knows nothing of ZFS
// and of what a program does. Only programs import it.
package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/peterbourgon/ff/v3"
	"github.com/peterbourgon/ff/v3/ffcli"
)

// A Tool is a program's command line. Command's Exec, or the Exec of the
// subcommand that the arguments name, does the work and returns an error for
// Run to print.
type Tool struct {
	Command *ffcli.Command // its Name is the program's
	NotEnv  []string       // flags that never come from the environment, besides -n, -destroy and -release
	RunsCmd bool           // the arguments are a command to run: flags end at its first word
	Stdout  io.Writer      // usage asked for by -h
	Stderr  io.Writer      // errors
}

// never is what must be said on the command line itself: what destroys,
// releases or pretends.
var never = []string{"n", "destroy", "release"}

// Run parses args, executes the command they name and returns the program's
// exit status. Errors are printed on Stderr as Print does. A flag that the
// arguments do not set is taken from the environment variable TOOL_FLAG
// (ZSNAP_PREFIX), in capitals and with _ for -. The only argument -version
// prints what the program was built from.
func (t Tool) Run(ctx context.Context, args []string) int {
	if len(args) == 1 && (args[0] == "-version" || args[0] == "--version") {
		if _, err := fmt.Fprintf(t.Stdout, "%s %s\n", t.Command.Name, version()); err != nil {
			return Print(t.Stderr, t.Command.Name, err)
		}
		return OK
	}
	path, arranged := arrange(t.Command, args, t.RunsCmd)
	chosen := path[len(path)-1]
	err := t.Command.Parse(arranged)
	switch {
	case errors.Is(err, flag.ErrHelp):
		if _, err := io.WriteString(t.Stdout, usage(path)); err != nil {
			return Print(t.Stderr, t.Command.Name, err)
		}
		return OK
	case errors.As(err, new(ffcli.NoExecError)):
		err = Usagef("which subcommand")
	case err != nil:
		err = usageError{errors.Unwrap(err)}
	default:
		if err = t.environment(path); err == nil {
			err = chosen.Exec(ctx, chosen.FlagSet.Args())
		}
	}
	status := Print(t.Stderr, t.Command.Name, withCause(ctx, err))
	if errors.As(err, new(usageError)) {
		io.WriteString(t.Stderr, synopsis(path)+"see "+called(path)+" -h\n")
	}
	return status
}

// release is set by the linker (scripts/version -ldflags), and never by code.
var release string

// version is what the program was built from: a release, or a commit.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			return "(devel) " + s.Value
		}
	}
	return cmp.Or(info.Main.Version, "(devel)")
}

// environment sets the flags that no argument has set. It runs once, after
// all flags have been parsed, so that a flag always wins, wherever it stood.
func (t Tool) environment(path []*ffcli.Command) error {
	given := slices.Concat(never, t.NotEnv)
	for _, c := range path {
		c.FlagSet.Visit(func(f *flag.Flag) { given = append(given, f.Name) })
	}
	for _, c := range path {
		open := flag.NewFlagSet(c.Name, flag.ContinueOnError)
		c.FlagSet.VisitAll(func(f *flag.Flag) {
			if !slices.Contains(given, f.Name) {
				open.Var(f.Value, f.Name, f.Usage)
			}
		})
		prefix := strings.ToUpper(t.Command.Name)
		if err := ff.Parse(open, nil, ff.WithEnvVarPrefix(strings.ReplaceAll(prefix, "-", "_"))); err != nil {
			return usageError{errors.Unwrap(err)}
		}
	}
	return nil
}

// arrange puts the flags of each command on the path that args choose before
// its arguments, where package flag wants them.
func arrange(c *ffcli.Command, args []string, runsCmd bool) (path []*ffcli.Command, arranged []string) {
	if c.FlagSet == nil {
		c.FlagSet = flag.NewFlagSet(c.Name, flag.ContinueOnError)
	}
	c.FlagSet.Init(c.Name, flag.ContinueOnError)
	c.FlagSet.SetOutput(io.Discard)
	flags, words, rest, whole := split(c.FlagSet, args, runsCmd || len(c.Subcommands) > 0)
	path = []*ffcli.Command{c}
	if len(rest) > 0 {
		for _, sub := range c.Subcommands {
			if sub.Name == rest[0] {
				below, more := arrange(sub, rest[1:], runsCmd)
				return append(path, below...), slices.Concat(flags, rest[:1], more)
			}
		}
	}
	if !whole { // a -- would be taken for the value that is missing
		return path, flags
	}
	return path, slices.Concat(flags, []string{"--"}, words, rest)
}

// split tells flags (with their values) from words. Where toFirst is set it
// stops at the first word; rest is what it has not looked at. It is not whole
// when the last flag lacks its value.
func split(fs *flag.FlagSet, args []string, toFirst bool) (flags, words, rest []string, whole bool) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return flags, words, args[i+1:], true
		case len(arg) < 2 || arg[0] != '-':
			if toFirst {
				return flags, words, args[i:], true
			}
			words = append(words, arg)
		default:
			flags = append(flags, arg)
			if wantsValue(fs, arg) {
				if i++; i == len(args) {
					return flags, nil, nil, false
				}
				flags = append(flags, args[i])
			}
		}
	}
	return flags, words, nil, true
}

// wantsValue reports whether the flag arg takes the argument after it.
func wantsValue(fs *flag.FlagSet, arg string) bool {
	name := strings.TrimPrefix(arg[1:], "-")
	f := fs.Lookup(name)
	if f == nil { // not known, or -name=value
		return false
	}
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}

// Where says how far args get in the tree of commands below root: which
// command they choose, the flag that still wants its value, if the last of
// them is one, and the command's own arguments. It sets the flags that are
// complete, and is for completion: what is wrong in args it passes over.
func Where(root *ffcli.Command, args []string) (c *ffcli.Command, flagName string, words []string) {
	path, arranged := arrange(root, args, false)
	c = path[len(path)-1]
	_ = root.Parse(arranged)
	if n := len(args); n > 0 && len(args[n-1]) > 1 && args[n-1][0] == '-' && wantsValue(c.FlagSet, args[n-1]) {
		return c, strings.TrimLeft(args[n-1], "-"), nil
	}
	if words = c.FlagSet.Args(); len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	return c, "", words
}
