package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zone"
)

// rules are the flags that make a policy.
type rules struct {
	grids     parsed
	calendars parsed
	lasts     parsed
	regexes   parsed
	frees     parsed
	file      string
}

// parsed are the rules of one flag that may be repeated.
type parsed struct {
	rules []retention.Rule
	parse func(string) (retention.Rule, error)
}

func (p *parsed) String() string { return "" }

func (p *parsed) Set(text string) error {
	rule, err := p.parse(text)
	if err == nil {
		p.rules = append(p.rules, rule)
	}
	return err
}

func newRules() rules {
	return rules{
		grids:     parsed{parse: func(text string) (retention.Rule, error) { return retention.ParseGrid(text) }},
		calendars: parsed{parse: func(text string) (retention.Rule, error) { return retention.ParseCalendar(text, zone.Find) }},
		lasts: parsed{parse: func(text string) (retention.Rule, error) {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, errors.New("it must be a whole number")
			}
			return retention.LastN(n)
		}},
		regexes: parsed{parse: func(text string) (retention.Rule, error) { return retention.Regex(text, false) }},
		frees:   parsed{parse: retention.ParseFree},
	}
}

func (r *rules) policy() (*retention.Policy, error) {
	var all []retention.Rule
	if r.file != "" {
		policy, err := readPolicy(r.file)
		if err != nil {
			return nil, err
		}
		all = policy.Rules()
	}
	all = slices.Concat(all, r.grids.rules, r.calendars.rules, r.lasts.rules, r.regexes.rules, r.frees.rules)
	if len(all) == 0 && r.file == "" {
		return nil, cli.Usagef("no policy: give -grid, -calendar, -keep-last, -keep-regex or -policy")
	}
	policy := retention.New(all...)
	if err := policy.Check(); err != nil {
		return nil, cli.Usagef("%w", err)
	}
	return policy, nil
}

func readPolicy(file string) (*retention.Policy, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, cli.WithStatus(cli.Usage, fmt.Errorf("cannot read the policy: %w", err))
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var node, more yaml.Node
	if err := decoder.Decode(&node); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("no policy in it")
		}
		return nil, cli.WithStatus(cli.Usage, fmt.Errorf("%s: %w", file, err))
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, cli.WithStatus(cli.Usage, fmt.Errorf("%s: more than one document", file))
	}
	policy, err := retention.FromYAML(&node, file, zone.Find)
	if err != nil {
		return nil, cli.WithStatus(cli.Usage, err)
	}
	return policy, nil
}

// protection is what -protect names.
type protection struct {
	file  string
	names map[string]bool
	guids map[dataset.GUID]bool
}

func (p *protection) read(nul bool) error {
	if p.file == "" {
		return nil
	}
	f, err := os.Open(p.file)
	if err != nil {
		return fmt.Errorf("cannot read what to protect: %w", err)
	}
	defer f.Close()
	p.names, p.guids = map[string]bool{}, map[dataset.GUID]bool{}
	lines := cli.NewRecords(f, nul)
	for lines.Next() {
		field, _, _ := cli.Cut(lines.Record())
		name := string(field)
		if guid, err := dataset.ParseGUID(name); err == nil {
			p.guids[guid] = true
			continue
		}
		if err := dataset.CheckFull(name); err != nil || !strings.Contains(name, "@") {
			return fmt.Errorf("%s: record %d: %q is neither a snapshot nor a guid", p.file, lines.Number(), name)
		}
		p.names[name] = true
	}
	return lines.Err()
}

// columns say which field of a line is what.
type columns struct {
	names []string
	given bool
}

var known = []string{"name", "creation", "createtxg", "userrefs", "clones", "guid", "-"}

func (c *columns) String() string { return "" }

func (c *columns) Set(text string) error {
	names := strings.Split(text, ",")
	for i, name := range names {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("column %q is unknown: known are %s", name, strings.Join(known, ", "))
		case name != "-" && slices.Contains(names[:i], name):
			return fmt.Errorf("column %q is named twice", name)
		}
	}
	for _, name := range known[:2] {
		if !slices.Contains(names, name) {
			return fmt.Errorf("column %q is missing", name)
		}
	}
	c.names, c.given = names, true
	return nil
}

// moment is a time: seconds since 1970, or a date with or without a time of
// day, in UTC unless it says otherwise.
type moment struct{ at *int64 }

func (m *moment) String() string { return "" }

func (m *moment) Set(text string) error {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		m.at = &n
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil && t.Unix() >= 0 {
			n := t.Unix()
			m.at = &n
			return nil
		}
	}
	return errors.New("it must be a time, such as 2026-01-31 or 2026-01-31T12:00:00Z, or seconds since 1970")
}
