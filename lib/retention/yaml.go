package retention

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// FromYAML reads a policy from a node of YAML: {policy: grid, grid: "…"},
// {keep: [rules]}, or the list of rules alone, where a rule is one of
//
//	{type: grid, grid: "24x1h | 35x1d"}
//	{type: calendar, hourly: 24, daily: 35, weekly: 8, monthly: 12, yearly: 3, zone: Europe/Berlin}
//	{type: last_n, count: 10}
//	{type: regex, regex: "^manual_", negate: false}
//	{type: not_replicated}
//	{type: arrived, age: 14d}
//	{type: free, below: 10%}
//
// and a grid, a calendar or last_n can have regex, for Among.
//
// Errors are joined, one for each problem, and begin with file (unless it is
// empty), line and column. The zones of calendars are looked up in zones.
func FromYAML(node *yaml.Node, file string, zones Zones) (*Policy, error) {
	r := &reader{file: file, zones: zones}
	p := r.policy(node)
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return p, nil
}

type reader struct {
	file  string
	zones Zones
	errs  []error
}

func (r *reader) fail(n *yaml.Node, err error) {
	at := fmt.Sprintf("%d:%d", n.Line, n.Column)
	if r.file != "" {
		at = r.file + ":" + at
	}
	r.errs = append(r.errs, fmt.Errorf("%s: %w", at, err))
}

func (r *reader) failf(n *yaml.Node, format string, args ...any) {
	r.fail(n, fmt.Errorf(format, args...))
}

func (r *reader) policy(n *yaml.Node) *Policy {
	n = resolve(n)
	if n.Kind == yaml.SequenceNode {
		return r.rules(n)
	}
	m := r.mapping(n, "a retention policy", "policy", "grid", "keep")
	switch {
	case m == nil:
		return nil
	case m["keep"] != nil && (m["policy"] != nil || m["grid"] != nil):
		r.failf(n, "a retention policy has either keep or policy, not both")
		return nil
	case m["keep"] != nil:
		return r.rules(resolve(m["keep"]))
	case m["policy"] == nil:
		r.failf(n, "a retention policy needs policy (policy: grid) or keep (a list of rules)")
		return nil
	}
	name, ok := r.text(m["policy"], "policy")
	if ok && name != "grid" {
		r.failf(m["policy"], "policy %q is not known: grid", name)
	}
	if name != "grid" {
		return nil
	}
	if rule := r.grid(n, m); rule != nil {
		return New(rule)
	}
	return nil
}

func (r *reader) rules(n *yaml.Node) *Policy {
	if n.Kind != yaml.SequenceNode {
		r.failf(n, "keep is a list of rules")
		return nil
	}
	p := New()
	for _, item := range n.Content {
		if rule := r.rule(resolve(item)); rule != nil {
			p.rules = append(p.rules, rule)
		}
	}
	return p
}

// types are those of rules, with their keys.
var types = []struct {
	name string
	keys []string
}{
	{"grid", []string{"grid", "regex"}},
	{"calendar", []string{"hourly", "daily", "weekly", "monthly", "yearly", "zone", "regex"}},
	{"last_n", []string{"count", "regex"}},
	{"regex", []string{"regex", "negate"}},
	{"not_replicated", nil},
	{"arrived", []string{"age"}},
	{"free", []string{"below"}},
}

// Types returns the types of rules.
func Types() (names []string) {
	for _, t := range types {
		names = append(names, t.name)
	}
	return names
}

// Keys returns the keys that rules have.
func Keys() []string {
	keys := []string{"type"}
	for _, t := range types {
		for _, key := range t.keys {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

func typeNames() string {
	names := Types()
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func (r *reader) rule(n *yaml.Node) Rule {
	m := r.mapping(n, "a rule", Keys()...)
	if m == nil {
		return nil
	}
	if m["type"] == nil {
		r.failf(n, "a rule needs a type: %s", typeNames())
		return nil
	}
	kind, ok := r.text(m["type"], "type")
	if !ok {
		return nil
	}
	at := slices.Index(Types(), kind)
	if at < 0 {
		r.failf(m["type"], "type %q is not known: %s", kind, typeNames())
		return nil
	}
	if r.mapping(n, "a rule of type "+kind, slices.Concat(types[at].keys, []string{"type"})...) == nil {
		return nil
	}
	return r.make(kind, n, m)
}

func (r *reader) make(kind string, n *yaml.Node, m map[string]*yaml.Node) Rule {
	switch kind {
	case "grid":
		return r.among(r.grid(n, m), m)
	case "calendar":
		return r.among(r.calendar(n, m), m)
	case "not_replicated":
		return NotReplicated()
	}
	key := map[string]string{"last_n": "count", "regex": "regex", "arrived": "age", "free": "below"}[kind]
	value := m[key]
	if value == nil {
		r.failf(n, "a rule of type %s needs %s", kind, key)
		return nil
	}
	if kind == "last_n" {
		if n, ok := r.count(value, "count"); ok {
			return r.among(r.made(value, func() (Rule, error) { return LastN(n) }), m)
		}
		return nil
	}
	if kind == "arrived" {
		if text, ok := r.text(value, "age"); ok {
			return r.made(value, func() (Rule, error) { return arrivedText(text) })
		}
		return nil
	}
	if kind == "free" {
		if text, ok := r.text(value, "below"); ok {
			return r.made(value, func() (Rule, error) { return ParseFree(text) })
		}
		return nil
	}
	expr, ok := r.text(value, "regex")
	negate, ok2 := r.yes(m["negate"])
	if !ok || !ok2 {
		return nil
	}
	return r.made(value, func() (Rule, error) { return Regex(expr, negate) })
}

// among lets a rule that counts be about the names that its key regex says.
func (r *reader) among(rule Rule, m map[string]*yaml.Node) Rule {
	value := m["regex"]
	if value == nil || rule == nil {
		return rule
	}
	expr, ok := r.text(value, "regex")
	switch {
	case !ok:
		return nil
	case expr == "":
		r.failf(value, "regex is empty: leave it out to count all snapshots")
		return nil
	}
	return r.made(value, func() (Rule, error) { return Among(rule, expr) })
}

func arrivedText(text string) (Rule, error) {
	age, err := ParseDuration(text)
	if err != nil {
		return nil, err
	}
	return Arrived(age)
}

// made is the rule that make makes of a value, or nil.
func (r *reader) made(value *yaml.Node, make func() (Rule, error)) Rule {
	rule, err := make()
	if err != nil {
		r.fail(value, err)
		return nil
	}
	return rule
}

func (r *reader) grid(n *yaml.Node, m map[string]*yaml.Node) Rule {
	value := m["grid"]
	if value == nil {
		r.failf(n, `grid is missing, as in grid: "24x1h | 35x1d"`)
		return nil
	}
	text, ok := r.text(value, "grid")
	if !ok {
		return nil
	}
	return r.made(value, func() (Rule, error) { return ParseGrid(text) })
}

func (r *reader) calendar(n *yaml.Node, m map[string]*yaml.Node) Rule {
	var counts Counts
	before := len(r.errs)
	for _, kind := range kinds {
		value := m[kind.name]
		if value == nil {
			continue
		}
		count, ok := r.count(value, kind.name)
		if ok && (count < 1 || count > maxPeriods) {
			r.failf(value, "%s: a number of %d: it must be from 1 to %d", kind.name, count, maxPeriods)
		}
		*kind.of(&counts) = count
	}
	name, at := "", n
	if value := m["zone"]; value != nil {
		at = value
		if text, ok := r.text(value, "zone"); ok && text == "" {
			r.failf(value, "zone is empty: leave it out for the local zone")
		} else {
			name = text
		}
	}
	if len(r.errs) > before {
		return nil
	}
	return r.made(at, func() (Rule, error) {
		if counts == (Counts{}) {
			return nil, fmt.Errorf("a rule of type calendar needs at least one of %s", kindNames())
		}
		zone, err := r.zones(name)
		if err != nil {
			return nil, err
		}
		return Calendar(counts, zone)
	})
}

// mapping returns the values of a dictionary by key, nil after an error.
func (r *reader) mapping(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		r.failf(n, "%s is a dictionary", what)
		return nil
	}
	m := map[string]*yaml.Node{}
	good := true
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case !slices.Contains(known, key.Value):
			r.failf(key, "%s has no key %q", what, key.Value)
			good = false
		case m[key.Value] != nil:
			r.failf(key, "key %q is here twice", key.Value)
			good = false
		}
		m[key.Value] = n.Content[i+1]
	}
	if !good {
		return nil
	}
	return m
}

func (r *reader) text(n *yaml.Node, key string) (string, bool) {
	if n = resolve(n); n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		r.failf(n, "%s is a string", key)
		return "", false
	}
	return n.Value, true
}

func (r *reader) count(n *yaml.Node, key string) (int64, bool) {
	if n = resolve(n); n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i, true
		}
	}
	r.failf(n, "%s is a whole number", key)
	return 0, false
}

func (r *reader) yes(n *yaml.Node) (b, ok bool) {
	if n == nil {
		return false, true
	}
	n = resolve(n)
	if n.ShortTag() != "!!bool" || n.Decode(&b) != nil {
		r.failf(n, "negate is true or false")
		return false, false
	}
	return b, true
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
