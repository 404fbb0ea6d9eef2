package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/convert"
)

func importCommand(g *globals) *ffcli.Command {
	set := g.flags("import")
	line := set.String("syncoid", "", "import the `command` line of syncoid instead of a file")
	kind := set.String("from", "", "the `program` that the file is for: zrepl or sanoid; by default, its name says it")
	return &ffcli.Command{
		Name:       "import",
		ShortUsage: "zreplctl import [-from zrepl|sanoid] file\nzreplctl import -syncoid 'command line'",
		ShortHelp:  "Print the configuration that does what another program's configuration says.",
		FlagSet:    set,
		Exec: func(_ context.Context, args []string) error {
			switch {
			case *line != "" && len(args) == 0 && *kind == "":
				return g.imported("syncoid", func() (*convert.Result, error) { return convert.Syncoid(*line) })
			case *line != "" || len(args) != 1:
				return cli.Usagef("import takes one file, or -syncoid and a command line in quotes")
			}
			return g.importFile(args[0], *kind)
		},
	}
}

// importFile tells by the file's name what it is.
func (g *globals) importFile(path, kind string) error {
	if kind == "" {
		switch filepath.Ext(path) {
		case ".yml", ".yaml":
			kind = "zrepl"
		case ".conf":
			kind = "sanoid"
		}
	}
	read := map[string]func([]byte) (*convert.Result, error){"zrepl": convert.Zrepl, "sanoid": convert.Sanoid}[kind]
	if read == nil {
		return cli.Usagef("cannot tell what %q is for: write -from zrepl or -from sanoid", path)
	}
	text, err := g.foreign(path)
	if err != nil {
		return cli.WithStatus(cli.Usage, cli.Cannot("import", path, err))
	}
	return g.imported(path, func() (*convert.Result, error) { return read(text) })
}

// foreign reads the file of another program, and not much more of it than may
// be imported.
func (g *globals) foreign(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(g.stdin, convert.MaxSize+1))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, pathCause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, convert.MaxSize+1))
	return text, pathCause(err)
}

// imported prints the notes, and then the configuration if it is a valid one.
func (g *globals) imported(name string, read func() (*convert.Result, error)) error {
	res, err := read()
	if res != nil {
		for _, n := range res.Notes {
			where := name
			if n.Line > 0 {
				where = fmt.Sprintf("%s:%d", name, n.Line)
			}
			g.say("%s: %s", where, n.Text)
		}
	}
	if err != nil {
		return cli.WithStatus(cli.Usage, cli.Cannot("import", name, err))
	}
	if _, err := config.Parse(res.YAML, "the new configuration", config.SystemDefaults()); err != nil {
		err = cli.Hint(errors.Join(cli.Cannot("import", name, errors.New("zreplctl check refuses what comes out of it")), err), "remove or change what it names in %q, and import it again", name)
		return cli.WithStatus(cli.Usage, err)
	}
	return cli.Quiet(g.stdout.Text(string(res.YAML)))
}
