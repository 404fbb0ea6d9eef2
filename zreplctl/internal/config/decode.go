package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// decoder walks the nodes of a file and collects what is wrong with them. It
// never stops at an error: a value that is wrong stays at its zero value.
type decoder struct {
	files    []string // the first is the configuration, the others it includes
	named    named
	zones    map[string]foundZone // by name
	problems []*Problem
	warnings []*Problem
	more     int              // problems that are only counted
	visits   int              // nodes looked at, aliases again each time
	at       map[string]place // where the keys of global stand
	regexes  map[*retention.Policy][]ruleRegex
	meant    map[string]bool // keys suggested for unknown ones of the dictionary at hand
}

// maxVisits bounds what aliases can make of a small file. Without them the
// largest file comes to less.
const maxVisits = 600_000

// maxProblems bounds what is shown of a file that is wrong all over.
const maxProblems = 100

func newDecoder(file string) *decoder {
	return &decoder{files: []string{file}, at: map[string]place{}, meant: map[string]bool{}, zones: map[string]foundZone{},
		regexes: map[*retention.Policy][]ruleRegex{},
		named:   named{map[string]*retention.Policy{}, map[string]*yaml.Node{}}}
}

func (d *decoder) wrong(n *yaml.Node, format string, args ...any) {
	d.wrongAt(place{n.Line, n.Column}, format, args...)
}

func (d *decoder) wrongAt(at place, format string, args ...any) {
	if len(d.problems) >= maxProblems {
		d.more++
		return
	}
	d.problems = append(d.problems, at.problem(d.files, fmt.Sprintf(format, args...)))
}

func (d *decoder) warnAt(at place, format string, args ...any) {
	d.warnings = append(d.warnings, at.problem(d.files, fmt.Sprintf(format, args...)))
}

// err joins the problems in the order of the file.
func (d *decoder) err() error {
	slices.SortStableFunc(d.problems, inOrder)
	slices.SortStableFunc(d.warnings, inOrder)
	var errs []error
	for _, p := range d.problems {
		errs = append(errs, p)
	}
	if d.more > 0 {
		errs = append(errs, &Problem{File: d.files[0], Message: fmt.Sprintf("%d more errors", d.more)})
	}
	return errors.Join(errs...)
}

func inOrder(a, b *Problem) int {
	return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// resolve follows an alias and counts the visit; false when there were too
// many.
func (d *decoder) resolve(n *yaml.Node) (*yaml.Node, bool) {
	ok := d.spend(n, 1)
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n, ok
}

// spend counts visits and says once when they were too many.
func (d *decoder) spend(n *yaml.Node, visits int) bool {
	if d.visits <= maxVisits && d.visits+visits > maxVisits {
		d.wrong(n, "aliases repeat too much: more than %d values", maxVisits)
	}
	d.visits += visits
	return d.visits <= maxVisits
}

// spendAll counts what others will read of a node: all that is in it, and
// each byte of a text as much as perByte says.
func (d *decoder) spendAll(n *yaml.Node, perByte float64) bool {
	if !d.spend(n, 1+int(float64(len(n.Value))*perByte)) {
		return false
	}
	if n.Kind == yaml.AliasNode {
		return d.spendAll(n.Alias, perByte)
	}
	for _, part := range n.Content {
		if !d.spendAll(part, perByte) {
			return false
		}
	}
	return true
}

// dict calls set for each key of a dictionary that is among keys, and reports
// all others.
func (d *decoder) dict(n *yaml.Node, what string, keys []string, set func(key string, k, v *yaml.Node)) bool {
	n, ok := d.resolve(n)
	if !ok {
		return false
	}
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "%s must be a dictionary, not %s", what, kindOf(n))
		return false
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			d.wrong(k, "%s: a key is a word, not %s", what, kindOf(k))
			continue
		}
		if line, twice := seen[k.Value]; twice {
			d.wrong(k, "%s: key %q is written twice (first in line %d)", what, k.Value, line%linesPerFile)
			continue
		}
		seen[k.Value] = k.Line
		if !slices.Contains(keys, k.Value) {
			d.unknownKey(k, what, keys)
			continue
		}
		set(k.Value, k, v)
	}
	return true
}

func (d *decoder) unknownKey(k *yaml.Node, what string, keys []string) {
	switch close := Nearest(strings.ReplaceAll(strings.ToLower(k.Value), "-", "_"), keys); {
	case k.Value == "<<":
		d.wrong(k, `%s: merging with "<<" is not supported: an alias stands for a whole value only`, what)
	case close != "":
		d.meant[close] = true
		d.wrong(k, "%s: unknown key %q: did you mean %q?", what, k.Value, close)
	default:
		d.wrong(k, "%s: unknown key %q: known %s", what, k.Value, areOneOf(keys))
	}
}

// list calls item for each value of a list.
func (d *decoder) list(n *yaml.Node, what string, item func(*yaml.Node)) bool {
	n, ok := d.resolve(n)
	if !ok {
		return false
	}
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, "%s must be a list, not %s", what, kindOf(n))
		return false
	}
	for _, v := range n.Content {
		item(v)
	}
	return true
}

func (d *decoder) str(n *yaml.Node, what string) (string, bool) {
	n, ok := d.resolve(n)
	switch {
	case !ok:
		return "", false
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str":
		return n.Value, true
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && n.Value != "":
		d.wrong(n, "%s must be a string, not %s: write %q", what, kindOf(n), n.Value)
	default:
		d.wrong(n, "%s must be a string, not %s", what, kindOf(n))
	}
	return "", false
}

// word is a string that must be one of known.
func (d *decoder) word(n *yaml.Node, what string, known ...string) string {
	s, ok := d.str(n, what)
	if !ok || slices.Contains(known, s) {
		return s
	}
	if close := Nearest(s, known); close != "" {
		d.wrong(n, "%s: %q is unknown: did you mean %q?", what, s, close)
	} else {
		d.wrong(n, "%s: %q is unknown: known %s", what, s, areOneOf(known))
	}
	return ""
}

func (d *decoder) boolean(n *yaml.Node, what string) bool {
	n, ok := d.resolve(n)
	var b bool
	if ok && (n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&b) != nil) {
		d.wrong(n, "%s must be true or false, not %s", what, kindOf(n))
	}
	return b
}

func (d *decoder) integer(n *yaml.Node, what string, low, high int) int {
	n, ok := d.resolve(n)
	var i int
	switch {
	case !ok:
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int":
		d.wrong(n, "%s must be a whole number, not %s", what, kindOf(n))
	case n.Decode(&i) != nil || i < low || i > high:
		d.wrong(n, "%s: %s is out of range: %d to %d", what, n.Value, low, high)
		return low
	}
	return i
}

// areOneOf lists the words that are known.
func areOneOf(words []string) string {
	if len(words) == 1 {
		return "is only " + words[0]
	}
	return "are " + strings.Join(words, ", ")
}

// kindOf says what a node is, for a person.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a dictionary"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return n.Value
	case "!!str":
		return fmt.Sprintf("%q", n.Value)
	case "!!timestamp":
		return "the date " + n.Value
	}
	return fmt.Sprintf("%q with the tag %s", n.Value, n.Tag)
}
