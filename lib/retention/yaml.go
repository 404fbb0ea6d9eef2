package retention

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// FromYAML reads a policy from a node of YAML: {policy: grid, grid: "…"},
// {keep: [rules]}, or the list of rules alone, where a rule is one of
//
//	{type: grid, grid: "24x1h | 35x1d"}
//	{type: last_n, count: 10}
//	{type: regex, regex: "^manual_", negate: false}
//	{type: not_replicated}
//	{type: arrived, age: 14d}
//
// Errors are joined, one for each problem, and begin with file (unless it is
// empty), line and column.
func FromYAML(node *yaml.Node, file string) (*Policy, error) {
	r := &reader{file: file}
	p := r.policy(node)
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return p, nil
}

type reader struct {
	file string
	errs []error
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

func (r *reader) rule(n *yaml.Node) Rule {
	m := r.mapping(n, "a rule", "type", "grid", "count", "regex", "negate", "age")
	if m == nil {
		return nil
	}
	if m["type"] == nil {
		r.failf(n, "a rule needs a type: grid, last_n, regex, not_replicated or arrived")
		return nil
	}
	kind, ok := r.text(m["type"], "type")
	if !ok {
		return nil
	}
	uses := map[string][]string{"grid": {"grid"}, "last_n": {"count"}, "regex": {"regex", "negate"}, "not_replicated": {}, "arrived": {"age"}}
	keys, known := uses[kind]
	if !known {
		r.failf(m["type"], "type %q is not known: grid, last_n, regex, not_replicated or arrived", kind)
		return nil
	}
	if r.mapping(n, "a rule of type "+kind, append(keys, "type")...) == nil {
		return nil
	}
	return r.make(kind, n, m)
}

func (r *reader) make(kind string, n *yaml.Node, m map[string]*yaml.Node) Rule {
	switch kind {
	case "grid":
		return r.grid(n, m)
	case "not_replicated":
		return NotReplicated()
	}
	key := map[string]string{"last_n": "count", "regex": "regex", "arrived": "age"}[kind]
	value := m[key]
	if value == nil {
		r.failf(n, "a rule of type %s needs %s", kind, key)
		return nil
	}
	if kind == "last_n" {
		if n, ok := r.count(value); ok {
			return r.made(value, func() (Rule, error) { return LastN(n) })
		}
		return nil
	}
	if kind == "arrived" {
		if text, ok := r.text(value, "age"); ok {
			return r.made(value, func() (Rule, error) { return arrivedText(text) })
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

func (r *reader) count(n *yaml.Node) (int64, bool) {
	if n = resolve(n); n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i, true
		}
	}
	r.failf(n, "count is a whole number")
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

// printed is a rule as FromYAML reads it.
type printed struct {
	Type   string  `yaml:"type"`
	Grid   string  `yaml:"grid,omitempty"`
	Count  int64   `yaml:"count,omitempty"`
	Regex  *string `yaml:"regex,omitempty"`
	Negate bool    `yaml:"negate,omitempty"`
	Age    string  `yaml:"age,omitempty"`
}

// MarshalYAML gives the policy as {keep: [rules]}, which FromYAML reads.
func (p *Policy) MarshalYAML() (any, error) {
	list := make([]printed, len(p.rules))
	for i, rule := range p.rules {
		switch rule := rule.(type) {
		case *Grid:
			list[i] = printed{Type: "grid", Grid: rule.text}
		case lastN:
			list[i] = printed{Type: "last_n", Count: int64(rule)}
		case regex:
			expr := rule.re.String()
			list[i] = printed{Type: "regex", Regex: &expr, Negate: rule.negate}
		case notReplicated:
			list[i] = printed{Type: "not_replicated"}
		case arrived:
			list[i] = printed{Type: "arrived", Age: FormatDuration(int64(rule))}
		}
	}
	return map[string]any{"keep": list}, nil
}
