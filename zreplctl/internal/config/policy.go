package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// policy reads a retention policy: {policy: grid, grid: …} or {keep: […]}.
func (d *decoder) policy(n *yaml.Node, what string) *retention.Policy {
	n, ok := d.resolve(n)
	if !ok {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "%s: a dictionary is wanted, not %s", what, kindOf(n))
		return nil
	}
	return d.retention(n, what)
}

// keepList reads a bare list of rules.
func (d *decoder) keepList(n *yaml.Node, what string) *retention.Policy {
	n, ok := d.resolve(n)
	if !ok {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, "%s: a list is wanted, not %s", what, kindOf(n))
		return nil
	}
	return d.retention(n, what)
}

func (d *decoder) retention(n *yaml.Node, what string) *retention.Policy {
	p, err := retention.FromYAML(n, "")
	if err != nil {
		d.placed(n, what, err)
		return nil
	}
	return p
}

// placed takes over errors that begin with line and column, each on its own.
func (d *decoder) placed(n *yaml.Node, what string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			d.placed(n, what, e)
		}
		return
	}
	at, message := place{n.Line, n.Column}, err.Error()
	if k, _ := fmt.Sscanf(message, "%d:%d:", &at.line, &at.column); k == 2 {
		_, message, _ = strings.Cut(message, ": ")
	}
	d.wrongAt(at, "%s: %s", what, message)
}
