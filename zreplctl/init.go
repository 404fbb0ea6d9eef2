package main

import (
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/peterbourgon/ff/v3/ffcli"
	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// firstConfig holds the first configurations of all types, each between lines
// that say which types it is for.
//
//go:embed first.yml
var firstConfig string

func initTypes() []candidate {
	return []candidate{
		{"pull", "fetch datasets from another host"},
		{"source", "offer datasets to another host"},
		{"push", "send datasets to another host"},
		{"push-sink", "take what another host pushes"},
		{"local", "replicate between pools of this host"},
	}
}

// What init writes unless it is told otherwise.
const (
	initDir  = "/etc/zreplctl"
	initHost = "other.example.com"
	initUser = "root"
)

// first is what init is asked to write.
type first struct {
	dir    string
	kind   string
	peer   string // the other host
	client string // the identity of the active side
	user   string // whom it is over there
	dry    bool
	only   bool // the key and its line, and no configuration
	named  bool // a person named the client
}

func initCommand(g *globals) *ffcli.Command {
	set := g.flags("init")
	var f first
	set.StringVar(&f.dir, "dir", initDir, "write into `directory`")
	set.StringVar(&f.peer, "host", initHost, "the other `host`")
	set.StringVar(&f.client, "client", "", "the client `identity` of the host that connects, by default its name")
	set.StringVar(&f.user, "user", initUser, "connect as `user`; one without rights is enough, see zstdinserver(8)")
	set.BoolVar(&f.dry, "n", false, "print the configuration, and write nothing")
	set.BoolVar(&f.only, "key", false, "write no configuration: print the line for the other host's authorized_keys, and make the key if it does not exist")
	return &ffcli.Command{
		Name:       "init",
		ShortUsage: "zreplctl init [-n | -key] [-dir directory] [-host host] [-client identity] [-user name] [pull|source|push|push-sink|local]",
		ShortHelp:  "Write a first configuration, with comments, and the ssh key that goes with it.",
		FlagSet:    set,
		Exec: func(ctx context.Context, args []string) error {
			f.kind = "pull"
			if len(args) > 0 {
				f.kind = args[0]
			}
			// From the environment it is for the other commands.
			if c := g.configPath; c != "" && c != os.Getenv("ZREPLCTL_CONFIG") {
				return cli.Usagef("init reads no configuration, and writes zreplctl.yml into -dir: leave out -config %q", c)
			}
			if err := f.complete(args); err != nil {
				return err
			}
			return f.write(ctx, g)
		},
	}
}

// complete checks the arguments and fills in what they leave open.
func (f *first) complete(args []string) error {
	known := false
	for _, t := range initTypes() {
		known = known || t.text == f.kind
	}
	if len(args) > 1 || !known {
		return cli.Usagef("init takes one of pull, source, push, push-sink, local")
	}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return cli.Cannot("use directory", f.dir, err)
	}
	f.dir, f.named = dir, f.client != ""
	switch {
	case f.only && f.dry:
		return cli.Usagef("-key and -n exclude each other")
	case f.only && !f.connects():
		return cli.Usagef("-key is for the host that connects: init takes pull or push then")
	}
	if f.client == "" {
		f.client = f.peer
		if f.connects() {
			if name, err := os.Hostname(); err == nil && identity.Check(name) == nil {
				f.client = name
			} else {
				f.client = "me"
			}
		}
	}
	if err := identity.Check(f.client); err != nil {
		return cli.Usagef("bad -client %q: %v", f.client, err)
	}
	return nil
}

// connects reports whether this host is the one that connects.
func (f *first) connects() bool { return f.kind == "pull" || f.kind == "push" }

// name is the other host's first label, for names of jobs and datasets.
func (f *first) name() string {
	label, _, _ := strings.Cut(f.peer, ".")
	if len(label) > 32 || identity.Check(label) != nil {
		return "other"
	}
	return label
}

func (f *first) key() string { return filepath.Join(f.dir, "ssh", "zreplctl") }

func (f *first) main() string { return filepath.Join(f.dir, "zreplctl.yml") }

// path is where the configuration goes: into a file of its own if the one that
// is there would include that.
func (f *first) path() string {
	if config.Includes(f.main(), f.own()) {
		return f.own()
	}
	return f.main()
}

// text is the configuration. It is checked before it is written, so that what
// init writes always passes zreplctl check.
func (f *first) text() ([]byte, error) {
	var b strings.Builder
	keep := true
	for line := range strings.Lines(firstConfig) {
		if kinds, ok := strings.CutPrefix(line, "#: "); ok {
			words := strings.Fields(kinds)
			keep = words[0] == "all"
			for _, w := range words {
				keep = keep || w == f.kind
			}
			continue
		}
		if keep {
			b.WriteString(line)
		}
	}
	quoted := func(value string) string { // as YAML, where it needs that
		text, err := yaml.Marshal(value)
		if err != nil {
			return strconv.Quote(value)
		}
		return strings.TrimSpace(string(text))
	}
	text := []byte(strings.NewReplacer("@NAME@", f.name(), "@HOST@", quoted(f.peer), "@CLIENT@", quoted(f.client), "@USER@", quoted(f.user), "@KEY@", quoted(f.key())).Replace(b.String()))
	_, err := config.Parse(text, "first configuration", config.SystemDefaults())
	return text, err
}

// write makes the configuration last, so that a run that failed can be
// repeated.
func (f *first) write(ctx context.Context, g *globals) error {
	if f.only {
		if err := f.makeKey(ctx, g); err != nil {
			return err
		}
		return f.tellKey(g)
	}
	text, err := f.text()
	if err != nil {
		return cli.WithStatus(cli.Usage, err)
	}
	if f.dry {
		return cli.Quiet(g.stdout.Text(string(text)))
	}
	path := f.path()
	if path != f.main() { // its names may be taken by what is there
		if _, err := config.With(f.main(), path, text); err != nil {
			return cli.WithStatus(cli.Usage, err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(f.key() + ".pub"); f.connects() && f.named && err == nil {
			if err := f.tellKey(g); err != nil {
				return err
			}
		}
		err := cli.Cannot("write configuration", path, fs.ErrExist)
		if more := f.more(text); more != "" {
			return cli.Hint(err, "init never overwrites; %s. For the key's line for authorized_keys alone: -key -host HOST -client IDENTITY", more)
		}
		return cli.Hint(err, "init never overwrites: name another place with -dir, look at it with -n, or print the key's line for authorized_keys with -key -host HOST -client IDENTITY")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return cli.Cannot("make directory", filepath.Dir(path), pathCause(err))
	}
	if f.connects() {
		if err := f.makeKey(ctx, g); err != nil {
			return err
		}
	}
	if err := writeNew(path, text); err != nil {
		return cli.Cannot("write configuration", path, pathCause(err))
	}
	g.say("wrote %s", path)
	if !f.connects() {
		return nil
	}
	return f.tellKey(g)
}

// writeNew writes a file whole or not at all, and never over another.
func writeNew(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".zreplctl-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Link(tmp.Name(), path)
}

func pathCause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
