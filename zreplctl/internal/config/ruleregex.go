package config

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// A rule of a policy with a regex that no name matches keeps nothing, or has
// nothing to count: what it was written for is destroyed, or stays for ever.

// ruleRegex is the regex of a rule.
type ruleRegex struct {
	at         place
	what, text string
	begin      string // what all names begin with that match, as far as known
}

// ruleRegex reads the regex of a rule, and refuses what no name matches. Whether it
// is one at all is reported with the rule.
func (d *decoder) ruleRegex(n *yaml.Node, what string) []ruleRegex {
	n, ok := d.resolve(n)
	if !ok || n.Kind != yaml.ScalarNode || len(n.Value) > maxRule || !d.spend(n, len(n.Value)) {
		return nil
	}
	if dataset.MatchesNone(n.Value) {
		d.wrong(n, matchesNone, what, n.Value)
		return nil
	}
	return []ruleRegex{{place{n.Line, n.Column}, what, n.Value, beginning(n.Value)}}
}

// checkRegexes finds rules of a job's policies that are about no snapshot that the
// job prunes.
func (d *decoder) checkRegexes(j *Job) {
	var seen []*retention.Policy
	for _, side := range j.Sides() {
		if slices.Contains(seen, side.Policy) {
			continue
		}
		seen = append(seen, side.Policy)
		for _, r := range d.regexes[side.Policy] {
			fits := strings.HasPrefix(r.begin, j.SnapshotPrefix) || strings.HasPrefix(j.SnapshotPrefix, r.begin)
			if !fits && len(d.warnings) < maxProblems { // many jobs may have one policy
				d.warnAt(r.at, "%s: %q matches no snapshot of job %q: a policy judges only names that begin with snapshot_prefix, which is %q",
					r.what, r.text, j.Name, j.SnapshotPrefix)
			}
		}
	}
}
