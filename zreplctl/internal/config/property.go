package config

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// fixed are the properties that are always set or excluded on receiving, so
// that what arrives is not mounted, not shared and not written to, and those
// that only a creation can set.
var fixed = map[string]string{
	"mountpoint": "a received dataset never takes one",
	"canmount":   "a received dataset is never mounted",
	"sharenfs":   "a received dataset is never shared",
	"sharesmb":   "a received dataset is never shared",
	"readonly":   "a received dataset is always read-only",
	"encryption": "the stream and the parent decide it",
	"keyformat":  "the stream and the parent decide it",
	"origin":     "it is no setting",
	"volsize":    "the stream decides it",
	"type":       "it is no setting",
}

// properties reads a dictionary of property names and values.
func (d *decoder) properties(n *yaml.Node, what string) map[string]string {
	n, ok := d.resolve(n)
	if !ok || n.Kind != yaml.MappingNode {
		d.wrong(n, "%s: a dictionary of properties is wanted, not %s", what, kindOf(n))
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
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(":+._-@", r))
	}
	if name == "" || len(name) > 256 || name[0] == '-' || strings.IndexFunc(name, bad) >= 0 {
		d.wrong(n, "%s: %q is no name of a property", what, name)
		return false
	}
	return true
}

// propertyValue reads a value: zfs takes all of them as text, so that numbers
// and words like on need no quotes here.
func (d *decoder) propertyValue(n *yaml.Node, what string) string {
	n, ok := d.resolve(n)
	if !ok || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		d.wrong(n, "%s: a value is wanted, not %s", what, kindOf(n))
		return ""
	}
	if len(n.Value) > 1024 || strings.ContainsFunc(n.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		d.wrong(n, "%s: a value of more than 1024 bytes or with control characters", what)
	}
	return n.Value
}
