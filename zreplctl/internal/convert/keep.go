package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// policy is a list of zrepl's rules.
type policy struct {
	line     int
	rules    []keepRule
	old      []string // as they were, for a comment
	all      bool     // it keeps everything
	why      string   // it cannot be written
	prefixes []string // what the regexes of its rules begin with; "" matches all
	others   bool     // it keeps snapshots of other names
}

// keepRule is a rule as we write it, without its end. One that counts can have a
// regex, which says what it is about.
type keepRule struct {
	text, regex string
	prefix      string // what the regex asks names to begin with
	pure        bool   // and nothing more
	counts      bool
}

// under writes the rule for a job with this prefix, which counts nothing else.
func (r keepRule) under(prefix string) string {
	if !r.some(prefix) {
		return r.text + "}"
	}
	return r.text + ", regex: " + strconv.Quote(r.regex) + "}"
}

// some reports whether the rule counts not all snapshots of a job with this prefix.
func (r keepRule) some(prefix string) bool {
	return r.regex != "" && !(r.pure && strings.HasPrefix(prefix, r.prefix))
}

// leaves reports whether the policy destroys nothing of what no rule counts: in zrepl,
// it does.
func (p *policy) leaves(prefix string) bool {
	counting := slices.DeleteFunc(slices.Clone(p.rules), func(r keepRule) bool { return !r.counts })
	return len(counting) > 0 && !slices.ContainsFunc(counting, func(r keepRule) bool { return !r.some(prefix) })
}

// policy reads a list of rules.
func (r *reader) policy(b *block, what string, n *yaml.Node, line int) *policy {
	if n == nil {
		return nil
	}
	p := &policy{line: line}
	for i, item := range r.items(n) {
		s := r.section(b, fmt.Sprintf("%s: rule %d", what, i+1), item)
		p.old = append(p.old, "- "+cut(oneLine(strings.Join(strings.Fields(flowText(r, item)), " ")), 1000))
		p.rule(s)
		s.end()
	}
	if len(p.old) == 0 {
		p.why = "it has no rules"
	}
	return p
}

func flowText(r *reader, n *yaml.Node) string {
	out, err := yaml.Marshal(flow(r, n, 0))
	if err != nil {
		return "a rule"
	}
	return string(out)
}

func (p *policy) rule(s *section) {
	kind, _ := s.text("type")
	switch kind {
	case "not_replicated":
		p.rules = append(p.rules, keepRule{text: "{type: not_replicated"})
		if text, line := s.text("keep_snapshot_at_cursor"); text == "false" {
			s.b.note(line, "%s: keep_snapshot_at_cursor: false has no equal: the base of the next stream is always kept", s.what)
		}
	case "grid":
		text, _ := s.text("grid")
		if _, err := retention.ParseGrid(text); err != nil {
			p.cannot("%v", err)
		}
		p.counts(s, "{type: grid, grid: "+strconv.Quote(text))
	case "last_n":
		text, _ := s.text("count")
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n == 0 {
			p.cannot("last_n needs a count of at least 1, not %q", text)
		}
		p.counts(s, fmt.Sprintf("{type: last_n, count: %d", n))
	case "regex":
		p.regex(s)
	default:
		p.cannot("the rule %q is not known", kind)
	}
}

func (p *policy) cannot(format string, args ...any) {
	if p.why == "" {
		p.why = fmt.Sprintf(format, args...)
	}
}

// counts reads the regex of a rule that counts.
func (p *policy) counts(s *section, rule string) {
	text, _ := s.text("regex")
	p.check(text)
	prefix, pure := prefixOf(text)
	p.prefixes = append(p.prefixes, prefix)
	p.rules = append(p.rules, keepRule{rule, text, prefix, pure, true})
}

// check notes of a regex that a policy cannot have it.
func (p *policy) check(text string) {
	if _, err := regexp.Compile(text); err != nil {
		p.cannot("%v", err)
	}
	if dataset.MatchesNone(text) {
		p.cannot("no name of a snapshot matches the regex %q", text)
	}
}

func (p *policy) regex(s *section) {
	text, _ := s.text("regex")
	negate, _ := s.is("negate")
	p.check(text)
	prefix, pure := prefixOf(text)
	if pure && prefix == "" && !negate {
		p.all = true
	}
	if negate {
		p.others = true
		if pure && prefix != "" {
			p.prefixes = append(p.prefixes, prefix)
		}
	}
	rule := "{type: regex, regex: " + strconv.Quote(text)
	if negate {
		rule += ", negate: true"
	}
	p.rules = append(p.rules, keepRule{text: rule})
}

// prefixOf returns what a name must begin with to match a regex, if that is
// all that the regex asks for.
func prefixOf(expr string) (prefix string, ok bool) {
	expr = strings.TrimPrefix(expr, "^")
	for _, end := range []string{"$", ".*"} {
		trimmed := strings.TrimSuffix(expr, end)
		if end == "$" && !strings.HasSuffix(trimmed, ".*") {
			continue
		}
		expr = trimmed
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return "", false
	}
	return re.LiteralPrefix()
}

// prefix is the one that all rules of the policies agree on, or a part of it that ends
// like one, or empty.
func prefix(all ...*policy) string {
	found := ""
	for _, p := range all {
		if p == nil {
			continue
		}
		for _, one := range p.prefixes {
			if one == "" {
				continue
			}
			if found == "" {
				found = one
			}
			if found = common(found, one); found == "" {
				return ""
			}
		}
	}
	return found
}

// common is what two prefixes begin with, up to a character that divides words.
func common(a, b string) string {
	if a == b {
		return a
	}
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return a[:strings.LastIndexAny(a[:n], "_-.:")+1]
}

// fits says why a job whose snapshots have this prefix cannot have the policy.
func (p *policy) fits(prefix string) (why string) {
	if p.why != "" {
		return p.why
	}
	if prefix == "" {
		return "a job without snapshot_prefix has none"
	}
	return ""
}

// keep writes a policy under the job's key.
func (j *job) keep(key, old string, p *policy, prefix string) {
	if p == nil {
		return
	}
	if p.all {
		j.remark("%s keeps everything: no policy is needed.", old)
		return
	}
	if why := p.fits(prefix); why != "" {
		j.note(p.line, "job %s: %s is not taken over, and nothing is destroyed: %s", j.name, old, why)
		j.quote(p.old)
		return
	}
	if !p.others {
		j.note(p.line, "job %s: %s destroys only snapshots that begin with %q here; zrepl's destroys others, too", j.name, old, prefix)
	}
	if p.leaves(prefix) {
		j.note(p.line, "job %s: %s keeps snapshots that match no regex of its rules grid and last_n; zrepl's destroys those", j.name, old)
	}
	indent := ""
	if key != "keep" {
		j.put("%s:", key)
		indent = "  "
	}
	j.put("%skeep:", indent)
	for _, r := range p.rules {
		j.put("%s- %s", indent, r.under(prefix))
	}
}

// elsewhere notes a policy that belongs to a job of another host.
func (j *job) elsewhere(old, where string, p *policy) {
	switch {
	case p == nil:
	case p.all:
		j.remark("%s keeps everything.", old)
	case p.why != "":
		j.note(p.line, "job %s: %s: only the job of the other host destroys there; and it cannot have this policy: %s", j.name, old, p.why)
		j.quote(p.old)
	default:
		j.note(p.line, "job %s: %s: only %s destroys there; give it these rules", j.name, old, where)
		j.quote([]string{"keep:"})
		for _, r := range p.rules {
			j.quote([]string{"- " + r.under(prefix(p))})
		}
	}
}
