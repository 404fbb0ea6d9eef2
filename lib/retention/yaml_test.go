package retention

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func fromText(t testing.TB, text string) (*Policy, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return FromYAML(&node, "f", testZones)
}

func TestFromYAML(t *testing.T) {
	for text, want := range map[string]string{
		`{policy: grid, grid: "1x1h | 2x1d"}`: "grid 1x1h | 2x1d",
		`{keep: []}`:                          "keep all",
		`[{type: last_n, count: 3}]`:          "last_n 3",
		`{keep: [{type: regex, regex: "^a", negate: true}, {type: not_replicated}, {type: grid, grid: 1x1h}]}`:                                                 "regex not ^a; not_replicated; grid 1x1h",
		`{keep: [{type: arrived, age: 14d}, {type: arrived, age: 90min}]}`:                                                                                     "arrived 2w; arrived 90m",
		`{keep: [{type: calendar, hourly: 24, daily: 35, weekly: 8, monthly: 12, yearly: 3, zone: Europe/Berlin}]}`:                                            "calendar hourly=24 daily=35 weekly=8 monthly=12 yearly=3 zone=Europe/Berlin",
		`{keep: [{type: calendar, daily: 1000000}, {type: free, below: 10%}, {type: free, below: 500G}]}`:                                                      "calendar daily=1000000; free below=10%; free below=500G",
		`{keep: [{type: grid, grid: 1x1h, regex: "^h_"}, {type: last_n, count: 3, regex: "^d_"}, {type: calendar, daily: 7, zone: Europe/Berlin, regex: _x}]}`: "grid 1x1h of ^h_; last_n 3 of ^d_; calendar daily=7 zone=Europe/Berlin of _x",
		"keep:\n- &r {type: last_n, count: 3}\n- *r\n":                                                                                                         "last_n 3; last_n 3",
	} {
		p, err := fromText(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if p.String() != want {
			t.Errorf("%s: %s, want %s", text, p, want)
		}
		printed, err := yaml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := fromText(t, string(printed)); err != nil || again.String() != want {
			t.Errorf("%s: printed as %s: %v, %v", text, printed, again, err)
		}
	}
}

func TestFromYAMLErrors(t *testing.T) {
	for text, want := range map[string]string{
		`keep: [{type: last_n, count: 3, regex: ""}]`:    "f:1:40: regex is empty: leave it out to count all snapshots",
		`keep: [{type: grid, grid: 1x1h, regex: "("}]`:   "f:1:40: regex: error parsing regexp: missing closing ): `(`",
		`keep: [{type: grid, grid: 1x1h, regex: 5}]`:     "f:1:40: regex is a string",
		`keep: [{type: grid, grid: 1x1h, negate: true}]`: `f:1:33: a rule of type grid has no key "negate"`,
		`keep: [{type: not_replicated, regex: "a"}]`:     `f:1:31: a rule of type not_replicated has no key "regex"`,
		"just text":                                             "f:1:1: a retention policy is a dictionary",
		"{}":                                                    "f:1:1: a retention policy needs policy (policy: grid) or keep (a list of rules)",
		"{keep: 5}":                                             "f:1:8: keep is a list of rules",
		"{policy: grd}":                                         `f:1:10: policy "grd" is not known: grid`,
		"{policy: grid}":                                        `f:1:1: grid is missing, as in grid: "24x1h | 35x1d"`,
		"{policy: grid, grid: 5}":                               "f:1:22: grid is a string",
		"{policy: grid, grid: 0x1h}":                            "f:1:22: grid \"0x1h\": byte 1: a number of buckets must be at least 1",
		"{policy: grid, grid: 1x1h, keep: []}":                  "f:1:1: a retention policy has either keep or policy, not both",
		"{keep: [], kep: []}":                                   `f:1:12: a retention policy has no key "kep"`,
		"keep: [5]":                                             "f:1:8: a rule is a dictionary",
		"keep: [{}]":                                            "f:1:8: a rule needs a type: grid, calendar, last_n, regex, not_replicated, arrived or free",
		"keep: [{type: last}]":                                  `f:1:15: type "last" is not known: grid, calendar, last_n, regex, not_replicated, arrived or free`,
		"keep: [{type: [a]}]":                                   "f:1:15: type is a string",
		"keep: [{type: last_n}]":                                "f:1:8: a rule of type last_n needs count",
		"keep: [{type: last_n, count: 0}]":                      "f:1:30: last_n: a count of 0: it must be at least 1",
		"keep: [{type: last_n, count: x}]":                      "f:1:30: count is a whole number",
		"keep: [{type: last_n, count: 1, grid: x}]":             `f:1:33: a rule of type last_n has no key "grid"`,
		"keep: [{type: arrived}]":                               "f:1:8: a rule of type arrived needs age",
		"keep: [{type: arrived, age: 14}]":                      "f:1:29: age is a string",
		"keep: [{type: arrived, age: 14x}]":                     `f:1:29: duration "14x": byte 3: unit "x" is not known: s, m, min, h, d, w, mon or y`,
		"keep: [{type: last_n, count: 1, age: 1d}]":             `f:1:33: a rule of type last_n has no key "age"`,
		"keep: [{type: calendar}]":                              "f:1:8: a rule of type calendar needs at least one of hourly, daily, weekly, monthly and yearly",
		"keep: [{type: calendar, zone: UTC}]":                   "f:1:31: a rule of type calendar needs at least one of hourly, daily, weekly, monthly and yearly",
		"keep: [{type: calendar, daily: 0}]":                    "f:1:32: daily: a number of 0: it must be from 1 to 1000000",
		"keep: [{type: calendar, daily: 1000001, yearly: -1}]":  "f:1:32: daily: a number of 1000001: it must be from 1 to 1000000\nf:1:49: yearly: a number of -1: it must be from 1 to 1000000",
		"keep: [{type: calendar, daily: x}]":                    "f:1:32: daily is a whole number",
		"keep: [{type: calendar, dayly: 1}]":                    `f:1:25: a rule has no key "dayly"`,
		"keep: [{type: calendar, daily: 1, zone: 5}]":           "f:1:41: zone is a string",
		"keep: [{type: calendar, daily: 1, zone: ''}]":          "f:1:41: zone is empty: leave it out for the local zone",
		"keep: [{type: calendar, daily: 1, zone: Europe/Mars}]": "f:1:41: unknown time zone Europe/Mars",
		"keep: [{type: calendar, daily: 1, grid: 1x1h}]":        `f:1:35: a rule of type calendar has no key "grid"`,
		"keep: [{type: free}]":                                  "f:1:8: a rule of type free needs below",
		"keep: [{type: free, below: 10}]":                       "f:1:28: below is a string",
		"keep: [{type: free, below: 0%}]":                       `f:1:28: free space "0%": byte 1: a size must be at least 1`,
		"keep: [{type: free, below: 10%, count: 1}]":            `f:1:33: a rule of type free has no key "count"`,
		"keep: [{type: last_n, type: regex}]":                   `f:1:23: key "type" is here twice`,
		"keep: [{type: regex, regex: '('}]":                     "f:1:29: regex: error parsing regexp: missing closing ): `(`",
		"keep: [{type: regex, regex: a, negate: 1}]":            "f:1:40: negate is true or false",
		"keep:\n- {type: last_n, count: 0}\n- {typ: a}\n":       "f:2:25: last_n: a count of 0: it must be at least 1\nf:3:4: a rule has no key \"typ\"",
	} {
		p, err := fromText(t, text)
		if err == nil {
			t.Errorf("%s: %v, want an error", text, p)
		} else if err.Error() != want {
			t.Errorf("%s:\n%v\nwant\n%s", text, err, want)
		}
	}
}

func FuzzYAML(f *testing.F) {
	f.Add(`{policy: grid, grid: "1x1h | 2x1d"}`)
	f.Add(`{keep: [{type: regex, regex: "^a", negate: true}, {type: not_replicated}, {type: last_n, count: 3}]}`)
	f.Add(`{keep: [{type: arrived, age: 14d}]}`)
	f.Add(`{keep: [{type: calendar, hourly: 24, yearly: 3, zone: Europe/Berlin}, {type: free, below: 10%}]}`)
	f.Add("keep:\n- &r {type: last_n, count: 3}\n- *r\n")
	f.Fuzz(func(t *testing.T, text string) {
		var node yaml.Node
		if yaml.Unmarshal([]byte(text), &node) != nil || node.Kind == 0 {
			return
		}
		p, err := FromYAML(&node, "f", testZones)
		if (p == nil) != (err != nil) {
			t.Fatalf("%q: %v, %v", text, p, err)
		}
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\nf:") {
				if line == "" {
					t.Fatalf("%q: an empty error", text)
				}
			}
			return
		}
		printed, err := yaml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := fromText(t, string(printed))
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q: printed as %s: %v", text, printed, err)
		}
	})
}
