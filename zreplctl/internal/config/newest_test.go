package config

import (
	"strings"
	"testing"
)

func TestNewestOnly(t *testing.T) {
	const job = `jobs: [{name: a, type: local, mapping: {"tank<": t/a}, snapshot_prefix: z_, snapshots: %s}]`
	j := parseText(t, strings.Replace(job, "%s", "{newest_only: true}", 1)).Jobs[0]
	if !j.Choice().NewestOnly() || !strings.Contains(j.Summary(), `only the newest of the snapshots whose names start with "z_"`) {
		t.Error(j.Summary())
	}
	if j := parseText(t, strings.Replace(job, "%s", "{newest_only: false}", 1)).Jobs[0]; j.SnapshotRules != nil {
		t.Errorf("%+v", j.SnapshotRules)
	}
	for text, want := range map[string]string{
		`[{name: a, type: local, mapping: {"tank<": t/a}, initial_repl_policy: all, snapshots: {newest_only: true}}]`: `initial_repl_policy: all snapshots would be sent`,
		`[{name: a, type: local, mapping: {"tank<": t/a}, snapshots: {newest_only: yes}}]`:                            `newest_only must be`,
		`[{name: a, type: local, mapping: {"tank<": t/a}, shared_target: true, snapshots: {newest_only: true}},
		  {name: b, type: local, mapping: {"tank<": t/a}, shared_target: true}]`: `but other snapshots`,
	} {
		if _, err := Parse([]byte("jobs: "+text), "f", testDefaults); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	both := `jobs:
- {name: a, type: local, mapping: {"tank<": t/a}, shared_target: true, snapshots: {newest_only: true}}
- {name: b, type: local, mapping: {"tank<": t/a}, shared_target: true, snapshots: {newest_only: true}}`
	if _, err := Parse([]byte(both), "f", testDefaults); err != nil {
		t.Error(err)
	}
}
