package mapfilter

import (
	"strings"
	"testing"
)

// TestUnmatched: a rule that matches nothing is named, also if it leaves
// something out; a rule whose datasets more specific ones take is not.
func TestUnmatched(t *testing.T) {
	rs, err := Parse([]Rule{{Pattern: "<", Result: "!"}, {Pattern: "tank/data<", Result: "ok"}, {Pattern: "tank/data/a", Result: "!"}, {Pattern: "tank/dta<", Result: "ok"},
		{Pattern: "tank/above", Result: "ok"}, {Pattern: "tank/above<", Result: "ok"}, {Pattern: "tank/data/scrach", Result: "!"}, {Pattern: "tank/da<", Result: "ok"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rs.Unmatched([]string{"tank", "tank/data", "tank/data/a", "tank/above/b", "tank/dat"}) {
		got = append(got, r.Pattern)
	}
	if want := "tank/above tank/da< tank/data/scrach tank/dta<"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}
