package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestSnapshotRules(t *testing.T) {
	for _, c := range []struct{ rules, passes, not, written string }{
		{`{regex: "_(daily|weekly)$"}`, "a_daily b_weekly", "a_hourly daily a_daily2", "snapshots: regex: _(daily|weekly)$"},
		{`{exclude: tmp}`, "z_a z_1", "z_tmp a", "snapshots: exclude: tmp"},
		{`{exclude: [tmp, "5$"]}`, "z_a z_1", "z_tmp z_5 a", "snapshots: exclude: [tmp, 5$]"},
		{`{newest_only: true}`, "z_a", "a", "snapshots: newest_only: true"},
		{`{exclude: tmp, newest_only: true}`, "z_a", "z_tmp a", "snapshots: exclude: tmp newest_only: true"},
		{`{regex: daily, exclude: [tmp]}`, "daily", "tmp_daily z_weekly", "snapshots: regex: daily exclude: tmp"},
	} {
		const job = `jobs: [{name: a, type: local, mapping: {"tank<": t/a}, snapshot_prefix: z_, snapshots: %s}]`
		config := parseText(t, fmt.Sprintf(job, c.rules))
		j := config.Jobs[0]
		written, err := config.Encode()
		if err != nil || !strings.Contains(strings.Join(strings.Fields(string(written)), " "), c.written+" shared_prefix") || parseText(t, string(written)).Jobs[0].Summary() != j.Summary() {
			t.Errorf("%v: %s", err, written)
		}
		for name := range strings.FieldsSeq(c.passes) {
			if !j.Choice().Has(name) {
				t.Errorf("%s leaves out %s", c.rules, name)
			}
		}
		for name := range strings.FieldsSeq(c.not) {
			if j.Choice().Has(name) {
				t.Errorf("%s chooses %s", c.rules, name)
			}
		}
	}
}

func TestSnapshotRulesWarning(t *testing.T) {
	c := parseText(t, `jobs:
- {name: a, type: local, interval: 1h, mapping: {"a<": t/a}, snapshot_prefix: a_, snapshots: {regex: daily}}
- {name: b, type: local, interval: 1h, mapping: {"b<": t/b}, snapshot_prefix: b_, snapshots: {exclude: [daily]}}
- {name: c, type: pull, connect: {type: exec, command: [x]}, mapping: {"c<": t/c}, snapshot_prefix: c_, snapshots: {regex: daily}}
- {name: d, type: local, interval: 1h, mapping: {"d<": t/d}, snapshot_prefix: d_, snapshots: {regex: "^d_[0-9]{8}_03"}}
- {name: e, type: local, interval: 1h, mapping: {"e<": t/e}, snapshot_prefix: e_, snapshots: {regex: "01_[0-9]{6}_"}}
- {name: f, type: source, interval: 1h, serve: {type: stdinserver, client_identity: me}, datasets: {"f<": ok}, snapshot_prefix: f_, snapshots: {exclude: "^f_2"}}
- {name: g, type: local, cron: "17 3 * * *", mapping: {"g<": t/g}, snapshot_prefix: g_, snapshots: {regex: "_0317"}}
- {name: h, type: local, cron: "17 3 * * 0", mapping: {"h<": t/h}, snapshot_prefix: h_, snapshots: {regex: "01_0317"}}
- {name: i, type: local, interval: 1h, mapping: {"i<": t/i}, snapshot_prefix: i_, snapshots: {regex: "_..17"}}
- {name: k, type: pull, connect: {type: exec, command: [y]}, mapping: {"k<": t/k}, snapshot_prefix: k_, snapshots: {exclude: [x, "^k"]}}`)
	want := []string{
		`f:2:83: job "a": snapshots: the job takes snapshots such as "a_20270101_000000_000" and sends none of these: names must match "daily"`,
		`f:7:133: job "f": snapshots: the job takes snapshots such as "f_20270101_000000_000" and sends none of these: names must start with "f_" and do not match "^f_2"`,
		`job "k": snapshots: exclude matches every name that begins with "k_": the job sends nothing`,
	}
	for i, text := range want {
		if i >= len(c.Warnings) || !strings.Contains(fmt.Sprint(c.Warnings[i]), text) {
			t.Errorf("no warning %d: %s", i, text)
		}
	}
	if len(c.Warnings) != len(want) {
		t.Errorf("%v, want %q", c.Warnings, want)
	}
}

// Rules that say the same are no reason to refuse two jobs with one target.
func TestSameSnapshotRules(t *testing.T) {
	const jobs = `jobs:
- {name: a, type: local, mapping: {"a<": t/a}, snapshot_prefix: %s, shared_prefix: true, shared_target: true, snapshots: %s}
- {name: b, type: local, mapping: {"a<": t/a}, snapshot_prefix: %s, shared_prefix: true, shared_target: true, snapshots: %s}`
	for _, c := range []struct {
		onePrefix, one, otherPrefix, other string
		same                               bool
	}{
		{"z_", "{regex: x}", "z_", "{regex: x}", true},
		{"z_", "{regex: x}", "y_", "{regex: x}", true},
		{"z_", "{regex: x}", "z_", "{regex: y}", false},
		{"z_", "{exclude: x}", "z_", "{exclude: [x]}", true},
		{"z_", "{exclude: x}", "y_", "{exclude: x}", false},
		{"z_", "{exclude: x}", "z_", "{exclude: [x, y]}", false},
		{"z_", "{exclude: [y, x, y]}", "z_", "{exclude: [x, y]}", true},
	} {
		_, err := Parse(fmt.Appendf(nil, jobs, c.onePrefix, c.one, c.otherPrefix, c.other), "f", Global{RunDir: "/run"})
		if same := err == nil; same != c.same || err != nil && !strings.Contains(err.Error(), "but other snapshots") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
