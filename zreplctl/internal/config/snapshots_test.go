package config

import (
	"strings"
	"testing"
)

func TestSnapshotRules(t *testing.T) {
	for _, c := range []struct{ rules, passes, not string }{
		{`{regex: "_(daily|weekly)$"}`, "a_daily b_weekly", "a_hourly daily a_daily2"},
		{`{exclude: [tmp, "^x"]}`, "a ax", "tmp a_tmp_b xa"},
		{`{regex: daily, exclude: [tmp]}`, "daily", "tmp_daily weekly"},
	} {
		j := parseText(t, `jobs: [{name: a, type: local, mapping: {"tank<": t/a}, snapshots: `+c.rules+`}]`).Jobs[0]
		for _, name := range strings.Fields(c.passes) {
			if !j.SnapshotRules.Pass([]byte(name)) {
				t.Errorf("%s leaves out %s", c.rules, name)
			}
		}
		for _, name := range strings.Fields(c.not) {
			if j.SnapshotRules.Pass([]byte(name)) {
				t.Errorf("%s lets %s pass", c.rules, name)
			}
		}
	}
	if all := (*SnapshotRules)(nil); !all.Pass([]byte("x")) {
		t.Error("without rules not all pass")
	}
}

func TestSnapshotRulesWarning(t *testing.T) {
	c := parseText(t, `jobs:
- {name: a, type: local, interval: 1h, mapping: {"a<": t/a}, snapshot_prefix: a_, snapshots: {regex: daily}}
- {name: b, type: local, interval: 1h, mapping: {"b<": t/b}, snapshot_prefix: b_, snapshots: {exclude: [daily]}}
- {name: c, type: pull, connect: {type: exec, command: [x]}, mapping: {"c<": t/c}, snapshot_prefix: c_, snapshots: {regex: daily}}`)
	const want = `f:2:83: job "a": snapshots: the job takes snapshots such as "a_20260101_010000_000", and these rules leave them out`
	if len(c.Warnings) != 1 || c.Warnings[0].Error() != want {
		t.Errorf("%v, want %s", c.Warnings, want)
	}
}
