package config

import (
	"fmt"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zone"
)

// policy reads a retention policy: {policy: grid, grid: …} or {keep: […]}, or the
// name of one.
func (d *decoder) policy(n *yaml.Node, what string) *retention.Policy {
	if at, ok := d.resolve(n); ok && at.Kind == yaml.ScalarNode && at.ShortTag() == "!!str" {
		return d.policyNamed(at, what)
	}
	before := len(d.problems)
	var p *retention.Policy
	keep := false
	ok := d.dict(n, what, []string{"policy", "grid", "keep"}, func(key string, _, v *yaml.Node) {
		switch key {
		case "keep":
			keep = true
			p = d.keepList(v, what+": keep")
		case "grid":
			d.short(v, what+": grid")
		}
	})
	if !ok || len(d.problems) > before {
		return nil
	}
	if n, _ = d.resolve(n); keep && len(n.Content) == 2 {
		return p
	}
	return d.retention(n, what)
}

// keepList reads a list of rules, each on its own, so that all that is wrong
// is found.
func (d *decoder) keepList(n *yaml.Node, what string) *retention.Policy {
	before := len(d.problems)
	number := 0
	var regexes []ruleRegex
	ok := d.list(n, what, func(v *yaml.Node) {
		number++
		part, before := fmt.Sprintf("%s: rule %d", what, number), len(d.problems)
		d.dict(v, part, retention.Keys(), func(key string, _, v *yaml.Node) {
			switch key {
			case "type":
				d.word(v, part+": type", retention.Types()...)
			case "grid", "regex", "age", "zone", "below":
				d.short(v, part+": "+key)
			}
			if key == "regex" {
				regexes = append(regexes, d.ruleRegex(v, part+": regex")...)
			}
		})
		if len(d.problems) == before {
			d.retention(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{v}, Line: v.Line, Column: v.Column}, part)
		}
	})
	if !ok || len(d.problems) > before {
		return nil
	}
	n, _ = d.resolve(n)
	p := d.retention(n, what)
	if p != nil {
		if err := p.Check(); err != nil {
			d.wrong(n, "%s: %v", what, err)
			return nil
		}
		d.regexes[p] = regexes
	}
	return p
}

// maxRule is the longest text of a grid or a regex, in bytes.
const maxRule = 1024

// short reports a text that is too long to be meant.
func (d *decoder) short(n *yaml.Node, what string) {
	if n, ok := d.resolve(n); ok && len(n.Value) > maxRule {
		d.wrong(n, "%s: %d bytes: at most %d", what, len(n.Value), maxRule)
	}
}

func (d *decoder) retention(n *yaml.Node, what string) *retention.Policy {
	if !d.spendAll(n, 1) { // a regexp grows when it is compiled
		return nil
	}
	p, err := retention.FromYAML(n, "", d.zone)
	if err != nil {
		d.placed(n, what, err)
		return nil
	}
	return p
}

// foundZone is a zone that was looked up, in files, or why there is none.
type foundZone struct {
	zone *time.Location
	err  error
}

// zone looks up each zone once, however often a file names it.
func (d *decoder) zone(name string) (*time.Location, error) {
	found, known := d.zones[name]
	if !known {
		found.zone, found.err = zone.Find(name)
		d.zones[name] = found
	}
	return found.zone, found.err
}

// placed takes over errors that begin with line and column, each on its own.
func (d *decoder) placed(n *yaml.Node, what string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			d.placed(n, what, e)
		}
		return
	}
	if len(d.problems) >= maxProblems { // reading where it stands would cost more than the rest
		d.more++
		return
	}
	at, message := place{n.Line, n.Column}, err.Error()
	if k, _ := fmt.Sscanf(message, "%d:%d:", &at.line, &at.column); k == 2 {
		_, message, _ = strings.Cut(message, ": ")
	}
	d.wrongAt(at, "%s: %s", what, message)
}
