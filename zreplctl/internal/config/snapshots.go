package config

import (
	"fmt"
	"regexp"

	"gopkg.in/yaml.v3"
)

// SnapshotRules say which of the snapshots with the job's prefix are replicated,
// by the names after the @. Nil: all of them.
type SnapshotRules struct {
	Regex   *regexp.Regexp   // only those that match; nil: all
	Exclude []*regexp.Regexp // and none that matches one of these
}

// Pass reports whether a snapshot of this name is replicated.
func (s *SnapshotRules) Pass(name []byte) bool {
	if s == nil {
		return true
	}
	if s.Regex != nil && !s.Regex.Match(name) {
		return false
	}
	for _, exclude := range s.Exclude {
		if exclude.Match(name) {
			return false
		}
	}
	return true
}

// maxExclude bounds the regexes that each name is held against.
const maxExclude = 100

// snapshots reads {regex: …, exclude: […]}.
func (d *decoder) snapshots(n *yaml.Node, what string) *SnapshotRules {
	s := &SnapshotRules{}
	count := 0
	ok := d.dict(n, what, []string{"regex", "exclude"}, func(key string, _, v *yaml.Node) {
		count++
		part := what + ": " + key
		if key == "regex" {
			s.Regex = d.regex(v, part)
			return
		}
		listed := 0
		d.list(v, part, func(v *yaml.Node) {
			if listed++; listed > maxExclude {
				if listed == maxExclude+1 {
					d.wrong(v, "%s: more than %d", part, maxExclude)
				}
				return
			}
			if re := d.regex(v, part); re != nil {
				s.Exclude = append(s.Exclude, re)
			}
		})
	})
	if ok && count == 0 {
		d.wrong(n, "%s: neither regex nor exclude: leave the key out", what)
	}
	return s
}

// regex reads a regular expression.
func (d *decoder) regex(n *yaml.Node, what string) *regexp.Regexp {
	text, ok := d.str(n, what)
	if !ok {
		return nil
	}
	before := len(d.problems)
	if d.short(n, what); len(d.problems) > before || !d.spend(n, 1+len(text)) { // it grows when it is compiled
		return nil
	}
	if text == "" {
		d.wrong(n, "%s: empty: it would match every name", what)
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		d.wrong(n, "%s: %v", what, err)
	}
	return re
}

func (s *SnapshotRules) encode() *dict {
	m := dictionary()
	if s.Regex != nil {
		m.put("regex", text(s.Regex.String()))
	}
	if len(s.Exclude) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, re := range s.Exclude {
			list.Content = append(list.Content, text(re.String()))
		}
		m.put("exclude", list)
	}
	return m
}

// same reports whether two jobs' rules say the same.
func (s *SnapshotRules) same(other *SnapshotRules) bool {
	written := func(s *SnapshotRules) string {
		if s == nil {
			return ""
		}
		out := fmt.Sprintf("%q", fmt.Sprint(s.Regex))
		for _, re := range s.Exclude {
			out += fmt.Sprintf(" %q", re)
		}
		return out
	}
	return written(s) == written(other)
}

// takenName is the name of a snapshot that the job could take.
func (j *Job) takenName() string { return j.SnapshotPrefix + "20260101_010000_000" }

// checkSnapshots finds jobs that take snapshots which they do not send.
func (d *decoder) checkSnapshots(j *Job, what string) {
	if j.Snapshots() && !j.SnapshotRules.Pass([]byte(j.takenName())) {
		d.warnAt(j.key("snapshots"), "%s: snapshots: the job takes snapshots such as %q, and these rules leave them out", what, j.takenName())
	}
}
