package plan

import (
	"slices"
	"strings"
	"testing"
)

func TestChoice(t *testing.T) {
	for _, c := range []struct {
		choice       Choice
		has, hasNot  string
		waits, words string // waits: names of which the dataset waits, if none is chosen
	}{
		{Choice{}, "a b_1", "", "", `start with ""`},
		{Choice{Prefix: "a_"}, "a_1 a_", "b_a_ a", "", `start with "a_"`},
		{Choice{Prefix: "a_", Rules: rules("", "_hourly$")}, "a_daily a_hourly2", "a_hourly b_daily", "a_hourly", `start with "a_" and do not match "_hourly$"`},
		{Choice{Prefix: "a_", Rules: rules("daily")}, "b_daily daily", "a_1", "a_1 b", `match "daily"`},
		{Choice{Rules: rules(`\d"`, "\x1b")}, `1"`, "a 1", "a 1", `match "\d"" and do not match "\x1b"`},
		{Choice{Rules: rules("^z_", "x", "y", "1", "2")}, "z_a", "z_x z_1 z_2 a_z_", "z_x b", `match "^z_" and do not match "x" or "y" or "1" or any of the others`},
	} {
		for name := range strings.FieldsSeq(c.has) {
			if !c.choice.Has(name) || c.choice.why(name) != "" {
				t.Errorf("names that %s: not %s: %s", c.choice, name, c.choice.why(name))
			}
		}
		for name := range strings.FieldsSeq(c.hasNot) {
			if c.choice.Has(name) || c.choice.why(name) == "" {
				t.Errorf("names that %s: %s", c.choice, name)
			}
			if got, want := c.choice.Waits(slices.Values([]string{name})), slices.Contains(strings.Fields(c.waits), name) || c.choice.Rules != nil && c.choice.Rules.Regex != nil; got != want {
				t.Errorf("names that %s: with %s it waits: %v", c.choice, name, got)
			}
		}
		if c.choice.String() != c.words {
			t.Errorf("%s, want %s", c.choice, c.words)
		}
	}
}

// What a pattern costs is known before it is compiled.
func TestPatternLimits(t *testing.T) {
	for _, c := range []struct{ text, bad string }{
		{`_(daily|weekly)$`, ""},
		{`^zrepl_[0-9]{8}_00`, ""},
		{`(?i)\pL+`, ""},
		{strings.Repeat("a", MaxPattern), ""},
		{strings.Repeat("a", MaxPattern-1) + "$", "too large"},
		{strings.Repeat("a", MaxPattern+1), "251 bytes: at most 250"},
		{`(a{10}){20}`, ""},
		{`(a{30}){30}`, "too large"},
		{`(a{1000}){1000}`, "invalid repeat count"},
		{`((((a{30}){30}){30}))`, "invalid repeat count"},
		{`(a{200})(b{200})`, "too large"},
		{strings.Repeat(`a{20}`, 40), "too large"},
		{strings.Repeat(`(a{30}){30}|`, 20) + "x", "too large"},
		{strings.Repeat(`.{0,99}`, 30), "too large"},
		{`(abc|def){200}`, "too large"},
		{`(`, "missing closing )"},
		{`a{2,1}`, "invalid repeat count"},
		{`(?=a)`, "invalid or unsupported Perl syntax"},
	} {
		re, size, err := ParsePattern(c.text)
		switch {
		case c.bad == "" && (err != nil || re == nil || size < 1 || size > MaxPatternSize):
			t.Errorf("%.40q: size %d: %v", c.text, size, err)
		case c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)):
			t.Errorf("%.40q: %v, want %s", c.text, err, c.bad)
		}
	}
}
