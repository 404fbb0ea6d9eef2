// Package mapfilter decides by rules which datasets take part and where they
// go.
//
// A rule is a pattern and a result. A pattern is a dataset's path, or a path
// followed by one "<", which means that dataset and all below it; "<" alone
// means everything. The most specific pattern wins: an exact path beats any
// "<", and of several "<" the longest path. The order of the rules does not
// matter, and what no rule matches is left out.
//
// In a filter the result is "ok" or "!" (also "omit"), in any case. In a map
// it is a target dataset, or "!": an exact pattern gives the target as it is,
// "P<" appends what follows P to the target, "<" the whole path. A map is
// also a filter, which passes what it maps, and can be inverted.
//
// The package promises that a decision costs a few look-ups however many rules
// there are, that matching is by component (a/b< does not match a/bc), and
// that what String prints parses to the same rules. It knows no datasets that
// exist, and says nothing of snapshots.
package mapfilter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Pos is where a rule was written, for messages. The zero value means that
// nobody knows; a Line of 0 leaves File alone.
type Pos struct {
	File         string
	Line, Column int
}

// String is file:line:column.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("%d:%d", p.Line, p.Column)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// A Rule as it is written.
type Rule struct {
	Pattern string
	Result  string
	Pos     Pos // of the pattern
	At      Pos // of the result, where it has its own place
}

// String writes the rule as zmapfilter -r takes it.
func (r *Rule) String() string { return r.Pattern + "=" + r.Result }

// Path is the dataset that the rule's pattern names, "" for "<" alone.
func (r *Rule) Path() string { return strings.TrimSuffix(r.Pattern, "<") }

// Rules is a parsed set of rules. It does not change and may be used by
// several goroutines.
type Rules struct {
	all   []*rule          // as given
	exact map[string]*rule // by path
	tree  map[string]*rule // by path; "" is "<" alone
	into  map[string]*rule // by target, the first of those with a next

	only func(name string) bool // what else a dataset must be; nil: nothing
}

type rule struct {
	Rule
	path   string // without the <
	tree   bool
	kind   kind
	target string // of kind maps
	next   *rule  // with the same target
}

type kind int

const (
	omits kind = iota
	passes
	maps
)

// Parse reads a set of rules. The error joins all that is wrong with them,
// each as an *Error.
func Parse(rules []Rule) (*Rules, error) {
	good, err := parseAll(rules)
	if err != nil {
		return nil, err
	}
	return good, nil
}

// parseAll returns what is right, too, for whoever looks for more that is wrong.
func parseAll(rules []Rule) (*Rules, error) {
	rs := &Rules{
		exact: make(map[string]*rule, len(rules)),
		tree:  make(map[string]*rule, len(rules)),
		into:  make(map[string]*rule, len(rules)),
	}
	var errs []error
	parsed := make([]rule, len(rules))
	for i, r := range rules {
		if err := rs.add(&parsed[i], r); err != nil {
			errs = append(errs, err)
		}
	}
	return rs, errors.Join(errs...)
}

// Error is what is wrong with one rule.
type Error struct {
	Pos     Pos    // of the part that is wrong
	Pattern string // of the rule
	Problem string
}

// Error names the place, where there is one, the rule and the problem.
func (e *Error) Error() string {
	if e.Pos == (Pos{}) {
		return e.Problem
	}
	return e.Pos.String() + ": " + e.Problem
}

func (rs *Rules) add(p *rule, r Rule) error {
	p.Rule = r
	if err := p.readPattern(); err != nil {
		return &Error{r.Pos, r.Pattern, fmt.Sprintf("pattern %q: %v", r.Pattern, err)}
	}
	if err := p.readResult(); err != nil {
		at := r.At
		if at == (Pos{}) {
			at = r.Pos
		}
		return &Error{at, r.Pattern, fmt.Sprintf("result %q of pattern %q: %v", r.Result, r.Pattern, err)}
	}
	index := rs.exact
	if p.tree {
		index = rs.tree
	}
	if first, twice := index[p.path]; twice {
		where := ""
		if first.Pos != (Pos{}) {
			where = fmt.Sprintf(" (first at %s)", first.Pos)
		}
		return &Error{r.Pos, r.Pattern, fmt.Sprintf("pattern %q: written twice%s", r.Pattern, where)}
	}
	index[p.path] = p
	rs.all = append(rs.all, p)
	if p.kind == maps {
		p.next = rs.into[p.target]
		rs.into[p.target] = p
	}
	return nil
}

// Only returns rules that decide as these do about the datasets that passes
// allows, and leave all others out. Roots, Named and all that is said of the
// rules as they are written stay the same: it never gets more.
func (rs *Rules) Only(passes func(name string) bool) *Rules {
	narrow, before := *rs, rs.only
	narrow.only = func(name string) bool { return (before == nil || before(name)) && passes(name) }
	return &narrow
}

// decide returns the rule that decides about name, or nil.
func (rs *Rules) decide(name string) *rule {
	if rs.only != nil && !rs.only(name) {
		return nil
	}
	if r := rs.exact[name]; r != nil {
		return r
	}
	return rs.decideTree(name)
}

// decideTree is decide without the exact patterns.
func (rs *Rules) decideTree(name string) *rule {
	for path := name; path != ""; path = path[:max(strings.LastIndexByte(path, '/'), 0)] {
		if r := rs.tree[path]; r != nil {
			return r
		}
	}
	return rs.tree[""]
}

// Pass reports whether the rules let the dataset name take part.
func (rs *Rules) Pass(name string) bool {
	r := rs.decide(name)
	return r != nil && r.kind != omits
}

// Map returns the target of name, and whether it has one.
// The target is made of legal parts, but may be too long to be a dataset's
// name: dataset.CheckName tells.
func (rs *Rules) Map(name string) (target string, ok bool) {
	r := rs.decide(name)
	if r == nil || r.kind != maps {
		return "", false
	}
	return r.apply(name), true
}

// apply is where the rule, which matches name, puts it.
func (r *rule) apply(name string) string {
	switch {
	case !r.tree:
		return r.target
	case r.path == "":
		return r.target + "/" + name
	}
	return r.target + name[len(r.path):]
}

// Decision says why a name is passed, mapped or left out.
type Decision struct {
	Result string // "ok", "!", the target, or "!" where no rule matches
	Rule   *Rule  // the rule that decided, nil where none matches
}

// Explain decides about name as Pass and Map do, and says by which rule.
func (rs *Rules) Explain(name string) Decision {
	r := rs.decide(name)
	switch {
	case r == nil:
		return Decision{"!", nil}
	case r.kind == maps:
		return Decision{r.apply(name), &r.Rule}
	case r.kind == passes:
		return Decision{"ok", &r.Rule}
	}
	return Decision{"!", &r.Rule}
}

// All returns the rules as they were written, ordered by pattern.
func (rs *Rules) All() []Rule {
	all := make([]Rule, len(rs.all))
	for i, r := range rs.all {
		all[i] = r.Rule
	}
	slices.SortFunc(all, func(a, b Rule) int { return strings.Compare(a.Pattern, b.Pattern) })
	return all
}
