package config

import (
	"strings"
	"testing"
	"time"
)

func TestSinkLimits(t *testing.T) {
	const text = `jobs:
- {name: a, type: push-sink, serve: {type: stdinserver, client_identity: a}, root: p/a, snapshot_prefix: x_, limits: {datasets: 10, snapshots: 2000, quota: required}, keep: [{type: arrived, age: 14d}]}
- {name: b, type: push-sink, serve: {type: stdinserver, client_identity: b}, root: p/b}
- {name: c, type: source, serve: {type: stdinserver, client_identity: c}, datasets: {"p/c<": ok}}
- {name: d, type: source, serve: {type: stdinserver, client_identity: d}, datasets: {"p/d<": ok}, max_hold: 3d}
`
	c, err := Read(strings.NewReader(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, b := c.Jobs[0], c.Jobs[1]
		if a.Limits != (SinkLimits{10, 2000, true}) || b.Limits != (SinkLimits{}) || a.Prune.LongestArrived() != 14*86400 {
			t.Errorf("%+v, %+v, %v", a.Limits, b.Limits, a.Prune)
		}
		if c.Jobs[2].MaxHold != 30*24*time.Hour || c.Jobs[3].MaxHold != 3*24*time.Hour || a.MaxHold != 0 {
			t.Errorf("%v, %v, %v", c.Jobs[2].MaxHold, c.Jobs[3].MaxHold, a.MaxHold)
		}
		written, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if c, err = Read(strings.NewReader(string(written)), "written"); err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
	}
}
