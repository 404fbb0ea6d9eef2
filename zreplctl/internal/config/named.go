package config

import (
	"fmt"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// named is what jobs refer to by its name.
type named struct {
	policies map[string]*retention.Policy // nil: it is wrong
	connects map[string]*yaml.Node        // dictionaries; nil: it is wrong
}

const (
	maxNamed = 1000
	keyBase  = "base"
)

// namedPolicies reads the key policies of a file.
func (d *decoder) namedPolicies(n *yaml.Node) {
	d.eachNamed(n, "policies", func(name string) bool { _, twice := d.named.policies[name]; return twice },
		func(name, what string, v *yaml.Node) { d.named.policies[name] = d.policy(v, what) })
}

// namedConnects reads the key connects of a file. What is missing in one can be
// in the job that refers to it.
func (d *decoder) namedConnects(n *yaml.Node) {
	d.eachNamed(n, "connects", func(name string) bool { _, twice := d.named.connects[name]; return twice },
		func(name, what string, v *yaml.Node) {
			d.named.connects[name] = nil
			before := len(d.problems)
			if v, ok := d.resolve(v); ok {
				if d.connectParts(v, what, &Connect{}, map[string]*yaml.Node{}, connectKeys) && len(d.problems) == before {
					d.named.connects[name] = v
				}
			}
		})
}

func (d *decoder) eachNamed(n *yaml.Node, what string, known func(string) bool, add func(name, what string, v *yaml.Node)) {
	n, ok := d.resolve(n)
	if !ok {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "%s must be a dictionary, not %s", what, kindOf(n))
		return
	}
	for i := 0; i+1 < len(n.Content) && i < 2*maxNamed; i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name, ok := d.str(k, what+": a name")
		switch {
		case !ok:
		case known(name):
			d.wrong(k, "%s: %q is written twice", what, name)
		default:
			add(name, fmt.Sprintf("%s: %q", what, name), v)
		}
	}
}

// policyNamed is the policy that a job refers to.
func (d *decoder) policyNamed(n *yaml.Node, what string) *retention.Policy {
	name, ok := d.str(n, what)
	if !ok {
		return nil
	}
	p, known := d.named.policies[name]
	if !known {
		d.wrong(n, "%s: there is no policy %q in policies%s", what, name, didYouMean(name, slices.Sorted(maps.Keys(d.named.policies))))
	}
	return p
}

// connectNamed is the connection that a job refers to: by its name alone, or as
// the base of its own keys. It returns nil where there is no such.
func (d *decoder) connectNamed(n *yaml.Node, what string) *yaml.Node {
	name, own := n, []*yaml.Node(nil)
	if n.Kind == yaml.MappingNode {
		if name = valueOf(n, keyBase); name == nil {
			return n
		}
		own = n.Content
	} else if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return n
	}
	word, ok := d.str(name, what)
	if !ok {
		return nil
	}
	base, known := d.named.connects[word]
	if !known {
		d.wrong(name, "%s: there is no connection %q in connects%s", what, word, didYouMean(word, slices.Sorted(maps.Keys(d.named.connects))))
	}
	if base == nil {
		return nil
	}
	merged := *n
	merged.Kind, merged.Tag, merged.Value, merged.Content = yaml.MappingNode, "!!map", "", nil
	for i := 0; i+1 < len(base.Content); i += 2 {
		if !hasKey(own, base.Content[i].Value) {
			merged.Content = append(merged.Content, base.Content[i], base.Content[i+1])
		}
	}
	for i := 0; i+1 < len(own); i += 2 {
		if own[i].Value != keyBase {
			merged.Content = append(merged.Content, own[i], own[i+1])
		}
	}
	return &merged
}

func hasKey(content []*yaml.Node, key string) bool {
	for i := 0; i+1 < len(content); i += 2 {
		if content[i].Value == key {
			return true
		}
	}
	return false
}

func didYouMean(word string, known []string) string {
	if close := Nearest(word, known); close != "" {
		return fmt.Sprintf(": did you mean %q?", close)
	}
	return ""
}
