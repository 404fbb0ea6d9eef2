package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A rule that is about no snapshot of the job is a warning where the rule stands,
// once for each job that has it.
func TestRuleRegexWarning(t *testing.T) {
	c := parseText(t, `policies:
  thin: {keep: [{type: last_n, count: 1, regex: ^a_h_}]}
jobs:
- {name: a, type: local, mapping: {"a<": t/a}, snapshot_prefix: a_, prune_lhs: thin, prune_rhs: thin}
- {name: b, type: local, mapping: {"b<": t/b}, snapshot_prefix: b_, prune_lhs: thin, prune_rhs: thin}
- {name: c, type: prune, datasets: {"c<": ok}, keep: [{type: grid, grid: 1x1h, regex: ^h_}, {type: calendar, daily: 1, regex: "^(c_d)_"}, {type: regex, regex: "^manual_"}], snapshot_prefix: c_}
- {name: d, type: prune, datasets: {"d<": ok}, snapshot_prefix: d_, keep: [{type: last_n, count: 1, regex: ^d}, {type: last_n, count: 1, regex: h_}, {type: last_n, count: 1, regex: "(?i)^X"}, {type: last_n, count: 1, regex: "^x?d"}]}
`)
	var got []string
	for _, w := range c.Warnings {
		got = append(got, strings.ReplaceAll(fmt.Sprint(w), "a policy judges only names that begin with snapshot_prefix, which is", "…"))
	}
	want := []string{
		`f:2:49: policies: "thin": keep: rule 1: regex: "^a_h_" matches no snapshot of job "b": … "b_"`,
		`f:6:87: job "c": keep: rule 1: regex: "^h_" matches no snapshot of job "c": … "c_"`,
		`f:6:160: job "c": keep: rule 3: regex: "^manual_" matches no snapshot of job "c": … "c_"`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// However many jobs have one wrong policy, the warnings stay few.
func TestRuleRegexMany(t *testing.T) {
	var text strings.Builder
	text.WriteString("policies: {thin: {keep: [")
	for range 500 {
		text.WriteString("{type: last_n, count: 1, regex: ^x_},")
	}
	text.WriteString("]}}\njobs:\n")
	for i := range 500 {
		fmt.Fprintf(&text, "- {name: j%d, type: prune, datasets: {\"a%d<\": ok}, snapshot_prefix: a_, prune: thin}\n", i, i)
	}
	if c := parseText(t, text.String()); len(c.Warnings) != maxProblems {
		t.Error(len(c.Warnings))
	}
}
