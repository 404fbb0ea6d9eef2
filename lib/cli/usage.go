package cli

import (
	"cmp"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/peterbourgon/ff/v3/ffcli"
)

// usage describes the last command of path: how to call it, what it does, its
// subcommands, and its flags.
func usage(path []*ffcli.Command) string {
	c := path[len(path)-1]
	var b strings.Builder
	b.WriteString(synopsis(path))
	for _, text := range []string{c.ShortHelp, c.LongHelp} {
		if text != "" {
			fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(text))
		}
	}
	if len(c.Subcommands) > 0 {
		b.WriteString("\nsubcommands:\n")
		w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
		for _, sub := range c.Subcommands {
			fmt.Fprintf(w, "  %s\t%s\n", sub.Name, sub.ShortHelp)
		}
		w.Flush()
	}
	flags(&b, c.FlagSet)
	return b.String()
}

// synopsis says how to call the last command of path, and no more: what stands
// before it stays in view.
func synopsis(path []*ffcli.Command) string {
	c := path[len(path)-1]
	var b strings.Builder
	for i, line := range strings.Split(cmp.Or(c.ShortUsage, c.Name), "\n") {
		fmt.Fprintf(&b, "%s %s\n", [2]string{"usage:", "      "}[min(i, 1)], line)
	}
	return b.String()
}

// called is the last command of path as a person calls it.
func called(path []*ffcli.Command) string {
	var names []string
	for _, c := range path {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

func flags(b *strings.Builder, fs *flag.FlagSet) {
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	title := "\nflags:\n"
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			text += " (" + f.DefValue + ")"
		}
		b.WriteString(title)
		title = ""
		fmt.Fprintf(w, "  %s\t%s\n", strings.TrimSpace("-"+f.Name+" "+value), text)
	})
	w.Flush()
}
