package config

import (
	"strings"
	"testing"
	"time"
)

func TestPeerLimits(t *testing.T) {
	const text = `jobs:
- {name: a, type: push-sink, serve: {type: stdinserver, client_identity: a}, root: p/a, snapshot_prefix: x_, limits: {datasets: 10, snapshots: 2000, quota: required}, keep: [{type: arrived, age: 14d}]}
- {name: b, type: push-sink, serve: {type: stdinserver, client_identity: b}, root: p/b}
- {name: c, type: source, serve: {type: stdinserver, client_identity: c}, datasets: {"p/c<": ok}}
- {name: d, type: source, serve: {type: stdinserver, client_identity: d}, datasets: {"p/d<": ok}, max_hold: 3d}
- {name: e, type: pull, connect: {type: exec, command: [x]}, mapping: {"<": p/e}, limits: {datasets: 5}}
- {name: f, type: push, connect: {type: exec, command: [x]}, datasets: {"p/f<": ok}, limits: {snapshots: 7}}
- {name: g, type: push-sink, serve: {type: stdinserver, client_identity: g}, root: p/g, max_hold: 2d}
`
	c, err := Read(strings.NewReader(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, b := c.Jobs[0], c.Jobs[1]
		if a.Limits != (PeerLimits{10, 2000, true}) || b.Limits != (PeerLimits{}) || a.Prune.LongestArrived() != 14*86400 {
			t.Errorf("%+v, %+v, %v", a.Limits, b.Limits, a.Prune)
		}
		if c.Jobs[2].MaxHold != 30*24*time.Hour || c.Jobs[3].MaxHold != 3*24*time.Hour ||
			a.MaxHold != 30*24*time.Hour || c.Jobs[4].MaxHold != 0 || c.Jobs[6].MaxHold != 2*24*time.Hour {
			t.Errorf("%v, %v, %v", c.Jobs[2].MaxHold, c.Jobs[3].MaxHold, a.MaxHold)
		}
		if e, f := c.Jobs[4].Limits, c.Jobs[5].Limits; e != (PeerLimits{Datasets: 5}) || f != (PeerLimits{Snapshots: 7}) {
			t.Errorf("%+v, %+v", e, f)
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
