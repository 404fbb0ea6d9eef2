package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/snap"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

type snapper struct {
	in         io.Reader
	out, errs  io.Writer
	options    snap.Options
	utc, nul   bool
	properties properties
	ifOlder    age
	hookFail   string
}

func (s *snapper) run(ctx context.Context, args []string) error {
	if err := s.complete(); err != nil {
		return err
	}
	datasets, err := s.datasets(ctx, args)
	if err != nil {
		return err
	}
	if len(datasets) == 0 { // what made the list may have gone wrong
		cli.Print(s.errs, "zsnap", errors.New("warning: no dataset was named, no snapshot is taken"))
	}
	z, err := zfs.Find()
	if err != nil {
		return cli.WithStatus(cli.Usage, err)
	}
	result, err := snap.Take(ctx, z, datasets, s.options)
	if err != nil {
		return cli.Quiet(err)
	}
	if result.Failed > 0 {
		return cli.WithStatus(cli.Failed, nil)
	}
	return nil
}

// complete fills in what flags alone do not set, and checks the rest.
func (s *snapper) complete() error {
	o := &s.options
	o.Local = !s.utc
	o.Properties = s.properties.values
	o.IfOlder = time.Duration(s.ifOlder)
	o.Created = func(name string) error {
		_, err := io.WriteString(s.out, name+string(cli.End(s.nul)))
		return err
	}
	o.Failed = func(object string, err error) {
		cli.Print(s.errs, "zsnap", cli.Cannot("snapshot", object, err))
	}
	o.Warn = func(format string, a ...any) {
		cli.Print(s.errs, "zsnap", fmt.Errorf("warning: "+format, a...))
	}
	o.Hooks.Output = os.Stderr
	switch s.hookFail {
	case "skip", "abort":
		o.Hooks.Abort = s.hookFail == "abort"
	default:
		return cli.Usagef("-hook-fail is skip or abort, not %q", s.hookFail)
	}
	for _, ahead := range []time.Duration{0, 182 * 24 * time.Hour} { // summer and winter
		now := time.Now().Add(ahead)
		if s.utc {
			now = now.UTC()
		}
		if name := snap.Name(o.Prefix, o.Format, now); dataset.CheckShort(name) != nil {
			return cli.Usagef("no snapshot can be named %q: %v", name, dataset.CheckShort(name))
		}
	}
	if o.Format == "" {
		return cli.Usagef("-format is empty")
	}
	if o.Hooks.Timeout <= 0 {
		return cli.Usagef("-hook-timeout must be more than 0")
	}
	return nil
}

// datasets are the arguments, or where there are none what is read.
func (s *snapper) datasets(ctx context.Context, args []string) ([]string, error) {
	for _, arg := range args {
		if err := dataset.CheckName(arg); err != nil {
			return nil, cli.Usagef("bad dataset name %q: %w", arg, err)
		}
	}
	if len(args) > 0 {
		return args, nil
	}
	var names []string
	lines := cli.NewRecords(cli.Input(ctx, s.in), s.nul)
	for lines.Next() {
		name, _, _ := cli.Cut(lines.Record())
		if err := dataset.CheckName(string(name)); err != nil {
			return nil, fmt.Errorf("record %d: bad dataset name %q: %w", lines.Number(), name, err)
		}
		names = append(names, string(name))
	}
	return names, lines.Err()
}

// properties are the values of -o.
type properties struct{ values map[string]string }

func (p *properties) String() string { return "" }

func (p *properties) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("it must be property=value")
	}
	if p.values == nil {
		p.values = map[string]string{}
	}
	if _, twice := p.values[name]; twice {
		return fmt.Errorf("property %q is set twice", name)
	}
	p.values[name] = value
	return nil
}

// age is a duration with the units of retention.
type age time.Duration

func (a *age) String() string { return "" }

func (a *age) Set(text string) error {
	seconds, err := retention.ParseDuration(text)
	if err == nil && seconds > int64(1<<63-1)/int64(time.Second) {
		err = fmt.Errorf("%s is too long", text)
	}
	*a = age(seconds * int64(time.Second))
	return err
}
