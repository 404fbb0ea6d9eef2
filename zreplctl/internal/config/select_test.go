package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/property"
)

func TestSelect(t *testing.T) {
	for text, want := range map[string]property.Selector{
		`{property: "zreplctl:backup=daily"}`: {Name: "zreplctl:backup", Value: "daily"},
		`{property: a:b=c=d e}`:               {Name: "a:b", Value: "c=d e"},
	} {
		c := parseText(t, `jobs: [{name: a, type: local, mapping: {"tank<": t/a}, select: `+text+`}]`)
		j := c.Jobs[0]
		if j.Select == nil || *j.Select != want || !strings.Contains(j.Summary(), fmt.Sprintf("only datasets with %q", want)) {
			t.Errorf("%s: %v, %s", text, j.Select, j.Summary())
		}
		written, err := c.Encode()
		if again := parseText(t, string(written)).Jobs[0]; err != nil || *again.Select != want || !Same(j, again) {
			t.Errorf("%s: %v\n%s", text, err, written)
		}
		other := parseText(t, `jobs: [{name: a, type: local, mapping: {"tank<": t/a}}]`).Jobs[0]
		if Same(j, other) {
			t.Error("a job with select is the same as one without")
		}
	}
	wrong := map[string]string{
		`{property: daily}`:                     `job "a": select: property: "daily": write NAME=VALUE`,
		`{property: "compression=on"}`:          `"compression" is not a user property: its name has a colon`,
		`{property: "a:b="}`:                    `the value of "a:b" is empty`,
		`{property: "a:b=\e[2J"}`:               `has characters that cannot be seen`,
		`{property: 7}`:                         `must be a string`,
		`{property: [a:b=c]}`:                   `must be a string`,
		`{}`:                                    `key "property" is missing`,
		`{value: x}`:                            `unknown key "value"`,
		`a:b=c`:                                 `must be a dictionary`,
		`{property: "zreplctl:placeholder=on"}`: `marks what zreplctl itself has made`,
	}
	for text, want := range wrong {
		_, err := Parse([]byte(`jobs: [{name: a, type: autosnap, datasets: {"tank<": ok}, snapshot_prefix: x_, select: `+text+`}]`), "f", testDefaults)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, job := range []string{
		`type: pull, connect: {type: exec, command: [x]}, mapping: {"tank<": t/a}`,
		`type: push-sink, serve: {type: stdinserver, client_identity: x}, root: t/a`,
	} {
		if _, err := Parse([]byte(`jobs: [{name: a, `+job+`, select: {property: a:b=c}}]`), "f", testDefaults); err == nil || !strings.Contains(err.Error(), `"select"`) {
			t.Errorf("%s: %v", job, err)
		}
	}
	// Of a dataset that is called so, the old form means what it did.
	if c := parseText(t, `jobs: [{name: a, type: autosnap, datasets: {property: ok}, snapshot_prefix: x_}]`); !c.Jobs[0].Datasets.Pass("property") {
		t.Error("a pool called property")
	}
}

// TestSelectTaken: a sender must not choose what another job of its receiver
// does.
func TestSelectTaken(t *testing.T) {
	for _, c := range []struct {
		recv, datasets, property string
		wrong                    bool
	}{
		{`properties: all`, `"t/copies<"`, "a:b=c", true},
		{`properties: ["a:*"]`, `"<"`, "a:b=c", true},
		{`properties: ["a:b"]`, `"t/copies/x<"`, "a:b=c", true},
		{`properties: all, exclude: ["a:b"]`, `"<"`, "a:b=c", false},
		{`properties: safe`, `"<"`, "a:b=c", false},
		{`properties: all`, `"t/mine<"`, "a:b=c", false},
		{`properties: all`, `"<"`, "zreplctl:backup=c", false},
	} {
		text := fmt.Sprintf(`jobs:
- {name: a, type: pull, connect: {type: exec, command: [x]}, mapping: {"<": t/copies}, recv: {%s}}
- {name: b, type: prune, datasets: {%s: ok}, select: {property: %q}, snapshot_prefix: x_, keep: [{type: last_n, count: 1}]}`, c.recv, c.datasets, c.property)
		_, err := Parse([]byte(text), "f", testDefaults)
		if wrong := err != nil && strings.Contains(err.Error(), `job "b": select: job "a" takes "a:b" from its sender`); wrong != c.wrong || !c.wrong && err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestSelectPolicy: a policy for what a property chooses is none for the rest.
func TestSelectPolicy(t *testing.T) {
	const jobs = `jobs:
- {name: a, type: autosnap, datasets: {"t<": ok}, snapshot_prefix: x_, interval: 1h%s}
- {name: b, type: prune, datasets: {"t<": ok}, snapshot_prefix: x_, interval: 1h, keep: [{type: last_n, count: 1}]%s}`
	const one, two = `, select: {property: "a:b=c"}`, `, select: {property: "a:b=d"}`
	for _, c := range []struct {
		a, b  string
		piles bool
	}{{"", "", false}, {one, "", false}, {"", one, true}, {one, one, false}, {one, two, true}} {
		j := parseText(t, fmt.Sprintf(jobs, c.a, c.b)).Jobs[0]
		if piles := strings.Contains(j.Summary(), "pile up"); piles != c.piles {
			t.Errorf("%+v: %s", c, j.Summary())
		}
	}
}

func TestNarrowed(t *testing.T) {
	j := parseText(t, `jobs: [{name: a, type: local, mapping: {"p<": t/a, "p/x<": "!"}, select: {property: a:b=c}}]`).Jobs[0]
	narrow := j.Narrowed(map[string]property.Choice{"p/a": {Chosen: true}, "p/b": {}, "p/x": {Chosen: true}, "q": {Chosen: true}})
	for name, want := range map[string]bool{"p/a": true, "p/b": false, "p/c": false, "p/x": false, "q": false} {
		_, maps := narrow.Mapping.Map(name)
		if got := narrow.Sources().Pass(name); got != want || maps != want {
			t.Errorf("%s: %v, %v", name, got, maps)
		}
	}
	if !narrow.Allows("p/b") || narrow.Allows("p/x") || !j.Sources().Pass("p/b") {
		t.Error("the rules as they are written have changed")
	}
	side := narrow.Sides()[1] // what left the mapping is no target of it
	if !side.Region.Has("t/a/a") || side.Region.Has("t/a/b") {
		t.Error("the region of the target")
	}
	again := narrow.Narrowed(map[string]property.Choice{"p/b": {Chosen: true}})
	if !again.Sources().Pass("p/b") || again.Sources().Pass("p/a") {
		t.Error("a second look does not start from the rules")
	}
}
