package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// globals is what every subcommand gets: the flags that may stand before or
// behind it, and the standard descriptors, which clean what is printed.
type globals struct {
	configPath string // as -config gives it, "" where it was not given
	verbose    bool
	stdin      *os.File
	stdout     *cli.Out
	stderr     *cli.Out
	protocol   *os.File // standard output as it is, for serve alone
}

// say prints one line of talk.
func (g *globals) say(format string, args ...any) {
	g.stderr.Say("zreplctl", fmt.Sprintf(format, args...))
}

// flags makes a command's set of flags, with the global ones in it.
func (g *globals) flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.StringVar(&g.configPath, "config", "", "read the configuration from `file` (- is standard input)")
	fs.BoolVar(&g.verbose, "v", false, "print more on standard error")
	return fs
}

// load reads the configuration. Its errors end the program with cli.Usage.
func (g *globals) load() (*config.Config, error) {
	c, err := g.read()
	if err != nil {
		return nil, cli.WithStatus(cli.Usage, err)
	}
	return c, nil
}

func (g *globals) read() (*config.Config, error) {
	if text, ok := control.Inherited(); ok {
		return config.Parse(text, g.configPath, config.SystemDefaults())
	}
	switch g.configPath {
	case "-":
		return config.Read(g.stdin, "-")
	case "":
		path, err := g.find()
		if err != nil {
			return nil, err
		}
		return config.Load(path)
	}
	return config.Load(g.configPath)
}

// find returns the configuration where none was named.
func (g *globals) find() (string, error) {
	path, err := config.Find()
	return path, cli.Hint(err, "write a first one with zreplctl init, or name one with -config or $ZREPLCTL_CONFIG")
}

// job reads the configuration and returns one job of it.
func (g *globals) job(name string) (*config.Config, *config.Job, error) {
	c, err := g.load()
	if err != nil {
		return nil, nil, err
	}
	j, err := c.Job(name)
	if err != nil {
		return nil, nil, cli.WithStatus(cli.Usage, err)
	}
	return c, j, nil
}
