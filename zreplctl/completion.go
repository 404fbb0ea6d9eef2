package main

import (
	"context"
	_ "embed"
	"flag"
	"slices"
	"strings"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// The scripts ask the program itself for words, so that they never know less
// than it does.
var (
	//go:embed completion/zreplctl.bash
	bashScript string
	//go:embed completion/zreplctl.zsh
	zshScript string
	//go:embed completion/zreplctl.fish
	fishScript string
)

func completionCommand(g *globals) *ffcli.Command {
	return &ffcli.Command{
		Name:       "completion",
		ShortUsage: "zreplctl completion bash|zsh|fish\nzreplctl completion words -- [word ...]",
		ShortHelp:  "Print a script that makes a shell complete zreplctl's words, or print the words themselves.",
		FlagSet:    g.flags("completion"),
		Exec: func(_ context.Context, args []string) error {
			scripts := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}
			switch {
			case len(args) > 0 && args[0] == "words":
				return g.printWords(args[1:])
			case len(args) == 1 && scripts[args[0]] != "":
				return cli.Quiet(g.stdout.Text(scripts[args[0]]))
			}
			return cli.Usagef("completion requires the name of a shell: bash, zsh or fish")
		},
	}
}

func (g *globals) printWords(words []string) error {
	if len(words) == 0 {
		words = []string{""}
	}
	for _, w := range g.candidates(words) {
		if err := g.stdout.Record(w.text, w.help); err != nil {
			return cli.Quiet(err)
		}
	}
	return nil
}

// candidate is a word that could stand last, and what it means.
type candidate struct{ text, help string }

// candidates returns what the last of words could be completed to. None means
// that a file's name may come, or nothing.
func (outer *globals) candidates(words []string) []candidate {
	var g globals
	root, _ := newRoot(&g)
	last, before := words[len(words)-1], words[:len(words)-1]
	c, flagName, args := cli.Where(root, before)
	if g.configPath == "" {
		g.configPath = outer.configPath
	}
	var all []candidate
	switch {
	case flagName != "":
		all = flagValues(flagName)
	case strings.HasPrefix(last, "-"):
		all = flagNames(c)
	case c == root:
		for _, sub := range root.Subcommands {
			all = append(all, candidate{sub.Name, sub.ShortHelp})
		}
	default:
		all = g.arguments(c.Name, args)
	}
	return slices.DeleteFunc(all, func(w candidate) bool { return !strings.HasPrefix(w.text, last) })
}

func flagNames(c *ffcli.Command) []candidate {
	all := []candidate{{"-h", "print usage"}}
	c.FlagSet.VisitAll(func(f *flag.Flag) {
		_, text := flag.UnquoteUsage(f)
		all = append(all, candidate{"-" + f.Name, text})
	})
	return all
}

// flagValues knows the flags with a fixed set of values.
func flagValues(name string) []candidate {
	switch name {
	case "skip":
		return []candidate{{"snapshot", ""}, {"replicate", ""}, {"prune", ""}}
	case "side":
		return []candidate{{"lhs", "of the source"}, {"rhs", "of the target"}}
	case "from":
		return []candidate{{"zrepl", "zrepl.yml"}, {"sanoid", "sanoid.conf"}}
	}
	return nil
}

// arguments returns what may follow a subcommand's arguments.
func (g *globals) arguments(command string, args []string) []candidate {
	switch {
	case command == "completion" && len(args) == 0:
		return []candidate{{"bash", ""}, {"zsh", ""}, {"fish", ""}}
	case command == "init" && len(args) == 0:
		return initTypes()
	case command == "import": // a file
		return nil
	case command == "show" && len(args) == 1:
		return []candidate{{"rules", "for zmapfilter -f"}, {"policy", "for zprune -policy"}, {"datasets", "that it takes, and why"}}
	case len(args) > 0 && command != "activate":
		return nil
	}
	if g.configPath == "-" {
		return nil
	}
	c, err := g.read()
	if err != nil {
		return nil
	}
	var all []candidate
	for _, j := range c.Jobs {
		if command == "activate" {
			for _, target := range j.Targets() {
				all = append(all, candidate{target, "where job " + j.Name + " receives"})
			}
			continue
		}
		for _, w := range wordsFor(command, j) {
			all = append(all, candidate{w, j.Summary()})
		}
	}
	return all
}

// wordsFor are the words by which a subcommand is told to take a job.
func wordsFor(command string, j *config.Job) []string {
	fits := false
	switch command {
	case "show", "holds":
		fits = true
	case "plan", "verify", "abandon":
		fits = j.Replicates()
	case "forget":
		fits = j.Replicates() || j.Serve != nil
	case "export":
		fits = j.Sends()
	case "find":
		fits = j.Receives() || j.Sources() != nil
	case "restore":
		fits = j.Receives() || j.Type == config.Push
	case "import-seed":
		fits = j.Receives()
	case "autosnap":
		fits = j.Snapshots()
	case "prune":
		fits = j.Prunes()
	case "serve":
		return j.Clients()
	default:
		fits = command == string(j.Type)
	}
	if fits {
		return []string{j.Name}
	}
	return nil
}
