package config

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/property"
)

// fixed are the properties that no override sets, and why: what shares a copy,
// and what only a creation can set.
var fixed = map[string]string{
	"sharenfs":    "a received dataset is never shared",
	"sharesmb":    "a received dataset is never shared",
	"encryption":  "the stream and the parent decide it",
	"keyformat":   "the stream and the parent decide it",
	"keylocation": "the stream and the parent decide it",
	"pbkdf2iters": "the stream and the parent decide it",
	"origin":      "it is no setting",
	"volsize":     "the stream decides it",
	"type":        "it is no setting",
}

// properties reads a dictionary of property names and values.
func (d *decoder) properties(n *yaml.Node, what string) map[string]string {
	n, ok := d.resolve(n)
	if !ok || n.Kind != yaml.MappingNode {
		d.wrong(n, "%s must be a dictionary of properties, not %s", what, kindOf(n))
		return nil
	}
	set := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name, ok := d.str(k, what)
		if !ok || !d.property(k, what, name) {
			continue
		}
		if _, twice := set[name]; twice {
			d.wrong(k, "%s: property %q is written twice", what, name)
		}
		set[name] = d.propertyValue(v, what+": "+name)
		if name == "mountpoint" && set[name] != "none" {
			d.wrong(v, "%s: mountpoint: only none is allowed: every dataset would have the same", what)
		}
	}
	return set
}

// property checks a property's name, native or of a user (zfsprops(7)).
func (d *decoder) property(n *yaml.Node, what, name string) bool {
	if why, is := fixed[name]; is {
		d.wrong(n, "%s: property %q cannot be set here: %s", what, name, why)
		return false
	}
	if strings.HasPrefix(name, "zreplctl:") {
		d.wrong(n, "%s: property %q belongs to zreplctl itself", what, name)
		return false
	}
	if full, short := alias[name]; short {
		d.wrong(n, "%s: property %q: write %q", what, name, full)
		return false
	}
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(":+._-@", r))
	}
	if name == "" || len(name) > 256 || name[0] == '-' || strings.IndexFunc(name, bad) >= 0 {
		d.wrong(n, "%s: %q is not the name of a property", what, name)
		return false
	}
	return true
}

// alias are other names under which zfs(8) takes properties. A name stands
// here for one thing only.
var alias = map[string]string{"compress": "compression", "rdonly": "readonly", "recsize": "recordsize", "refreserv": "refreservation",
	"reserv": "reservation", "volblock": "volblocksize", "enc": "encryption"}

// takes reads which of a sender's properties are taken.
func (d *decoder) takes(n *yaml.Node, what string) []string {
	n, ok := d.resolve(n)
	if !ok {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		switch d.word(n, what, "none", "safe", "all", "refuse", "allow") {
		case "safe":
			return slices.Clone(property.Safe)
		case "all", "allow":
			return []string{"*"}
		}
		return nil
	}
	return d.patterns(n, what)
}

// patterns reads a list of names of properties; one may end in *.
func (d *decoder) patterns(n *yaml.Node, what string) (all []string) {
	d.list(n, what, func(v *yaml.Node) {
		p, ok := d.str(v, what)
		if !ok {
			return
		}
		if full, short := alias[p]; short {
			d.wrong(v, "%s: property %q: write %q", what, p, full)
		} else if err := property.CheckPattern(p); err != nil {
			d.wrong(v, "%s: %v", what, err)
		} else if slices.Contains(all, p) {
			d.wrong(v, "%s: property %q is written twice", what, p)
		} else {
			all = append(all, p)
		}
	})
	return all
}

// propertyValue reads a value: zfs takes all of them as text, so that numbers
// and words like on need no quotes here.
func (d *decoder) propertyValue(n *yaml.Node, what string) string {
	n, ok := d.resolve(n)
	if !ok || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		d.wrong(n, "%s must be a value, not %s", what, kindOf(n))
		return ""
	}
	if len(n.Value) > 1024 || strings.ContainsFunc(n.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		d.wrong(n, "%s: a value of more than 1024 bytes or with control characters", what)
	}
	return n.Value
}
