package job_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

const selectJobs = `
global: {rundir: DIR/run}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a<": ok}, select: {property: "zreplctl:backup=daily"}, snapshot_prefix: s}
- {name: fetch, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a<": b/pull}}
- {name: mirror, type: local, mapping: {"a<": b/local}, select: {property: "zreplctl:backup=daily"}, snapshot_prefix: x_, prune_lhs: {keep: [{type: last_n, count: 2}]}, prune_rhs: {keep: [{type: last_n, count: 2}]}}
- {name: taking, type: push-sink, serve: {type: stdinserver, client_identity: push}, root: b/push}
- {name: push, type: push, datasets: {"a<": ok}, select: {property: "zreplctl:backup=daily"}, snapshot_prefix: y_,
   connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, push]}, prune: {keep: [{type: last_n, count: 2}]}}
`

// TestSelectHostile: a client gets nothing of what the property does not
// choose, and learns nothing of it.
func TestSelectHostile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(selectJobs)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "a/secret")
	w.must("zfs", "set", "zreplctl:backup=daily", "a/x")
	w.snapshot("s1")
	guid, err := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", "a/secret@s1")))
	if err != nil {
		t.Fatal(err)
	}
	h := w.attack("me", true)
	defer h.end()
	v := dataset.Version{Kind: dataset.Snapshot, Name: "s1", GUID: guid}
	snap := transfer.Snap{Dataset: "a/secret", Name: "s1", GUID: guid}
	for call, in := range map[string]any{
		"list":    transfer.ListRequest{Datasets: []string{"a/secret"}},
		"uses":    transfer.UsesRequest{Datasets: []string{"a/secret"}, Features: []string{"encryption"}},
		"protect": transfer.Holds{Hold: []transfer.Snap{snap}},
		"digest":  transfer.DigestRequest{Dataset: "a/secret"},
	} {
		if err := h.ask(t.Context(), call, in); err == nil || !strings.Contains(err.Error(), "not offered here") {
			t.Errorf("%s: %v", call, err)
		}
	}
	if err := h.ask(t.Context(), "send", transfer.SendRequest{Dataset: "a/secret", To: v, Send: dataset.SendOptions{LargeBlocks: true}}); err == nil || !strings.Contains(err.Error(), "not offered here") {
		t.Errorf("send: %v", err)
	}
	w.done("pull", "fetch")
	w.must("zfs", "list", "b/pull/x@s1")
	if got := w.lines("zfs", "list", "-H", "-o", "name", "-r", "b/pull"); !slices.Equal(got, []string{"b/pull", "b/pull/x"}) {
		t.Error(got)
	}
}

// TestSelectFails: if ZFS cannot say which value a dataset has, no run takes it
// for one that is not chosen.
func TestSelectFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(selectJobs)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "set", "zreplctl:backup=daily", "a/x")
	w.snapshot("s1")
	w.done("pull", "fetch")
	for _, run := range [][]string{{"local", "mirror"}, {"push", "push"}} {
		if code, out := w.ctl(run...); code != 0 {
			t.Fatal(out)
		}
	}
	before := w.everything()
	w.write("sim/faults", "on=get match=zreplctl:backup from=1 fail message=cannot open 'a/x': I/O error\n")
	for _, run := range [][]string{{"pull", "fetch"}, {"local", "mirror"}, {"push", "push"}, {"autosnap", "offer"}, {"prune", "mirror"}, {"plan", "mirror"}, {"show", "offer", "datasets"}} {
		code, out := w.ctl(run...)
		want := "I/O error"
		if run[0] == "pull" { // a client must not learn names that are not offered to it
			want = "the source cannot find out which datasets its select chooses: zreplctl log over there says why"
			if strings.Contains(out, "a/x") || strings.Contains(out, "I/O error") {
				t.Errorf("the client hears %s", out)
			}
		}
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("%v: %d, %s", run, code, out)
		}
	}
	if _, out := w.ctl("log", "offer"); !strings.Contains(out, "'a/x': I/O error") {
		t.Errorf("the source's log: %s", out)
	}
	if after := w.everything(); !slices.Equal(before, after) {
		t.Errorf("%q\nbecame %q", before, after)
	}
	w.write("sim/faults", "")
	if code, out := w.ctl("local", "mirror"); code != 0 {
		t.Error(out)
	}
}

// TestSelectHistories sets and clears the property at random. After each run
// the chosen datasets have a new snapshot and an equal copy, the others have
// what they had, and the run fails if a copy's source is not chosen.
func TestSelectHistories(t *testing.T) {
	for _, way := range [][3]string{{"local", "mirror", "b/local"}, {"push", "push", "b/push/a"}} {
		t.Run(way[0], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.configure(selectJobs)
			r := rand.New(rand.NewPCG(4, 5))
			names := []string{"a", "a/x", "a/x/y", "a/x/z", "a/w"}
			value, covered := map[string]string{}, map[string]bool{}
			for _, name := range names[1:] {
				w.must("zfs", "create", name)
			}
			chosen := func(name string) bool {
				for at := name; at != ""; at = dataset.Parent(at) {
					if value[at] != "" {
						return value[at] == "daily"
					}
				}
				return false
			}
			lists := func(name string) string {
				out, _ := w.command("zfs", "list", "-H", "-t", "snapshot", "-o", "name,guid", "-s", "createtxg", name).Output()
				return string(out)
			}
			for step := range 12 {
				name := names[r.IntN(len(names))]
				if value[name] = []string{"daily", "daily", "never", ""}[r.IntN(4)]; value[name] == "" {
					w.must("zfs", "inherit", "zreplctl:backup", name)
				} else {
					w.must("zfs", "set", "zreplctl:backup="+value[name], name)
				}
				before, fails, some := map[string]string{}, false, false
				for _, name := range names {
					before[name] = lists(name)
					some = some || chosen(name)
					fails = fails || covered[name] && !chosen(name)
				}
				w.write("sim/log", "")
				code, out := w.ctl(way[0], way[1])
				if (code != 0) != (fails || !some) {
					t.Fatalf("step %d, %v: %d, %s", step, value, code, out)
				}
				gets := 0
				for _, args := range w.logged("get") {
					if strings.Contains(args, "type,zreplctl:backup") {
						gets++
					}
				}
				if gets > 3 {
					t.Errorf("step %d: %d commands to choose", step, gets)
				}
				for _, name := range names {
					now := lists(name)
					target := way[2] + strings.TrimPrefix(name, "a")
					newest := now[strings.LastIndexByte(strings.TrimSpace(now), '\n')+1:]
					_, guid, _ := strings.Cut(strings.TrimSpace(newest), "\t")
					switch {
					case !chosen(name):
						if now != before[name] {
							t.Errorf("step %d, %v: %s is not chosen: %s became %s", step, value, name, before[name], now)
						}
						if covered[name] && some && !strings.Contains(out, fmt.Sprintf("%q", target)) {
							t.Errorf("step %d: %s is not reported: %s", step, target, out)
						}
					case now == before[name] || guid == "" || !strings.Contains(lists(target), guid):
						t.Errorf("step %d, %v: %s: %s, and the copy has %s: %s", step, value, name, now, lists(target), out)
					default:
						covered[name] = true
					}
				}
			}
		})
	}
}

// TestSelectForgetLast: forget ends the report of copies also if select has left
// out the last dataset that the sender had, and destroys nothing.
func TestSelectForgetLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(selectJobs)
	w.must("zfs", "create", "a/x")
	w.must("zfs", "set", "zreplctl:backup=daily", "a/x")
	w.snapshot("s1")
	jobs := [][3]string{{"pull", "fetch", "b/pull/x"}, {"local", "mirror", "b/local/x"}, {"push", "push", "b/push/a/x"}}
	for _, j := range jobs {
		if code, out := w.ctl(j[0], j[1]); code != 0 {
			t.Fatal(out)
		}
	}
	for _, j := range jobs {
		if code, out := w.ctl("forget", j[1], "a/x"); code != 1 || !strings.Contains(out, "still offers") {
			t.Errorf("%s: %d, %s", j[1], code, out)
		}
	}
	w.must("zfs", "inherit", "zreplctl:backup", "a/x")
	before := w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name")
	for _, j := range jobs {
		if code, out := w.ctl("forget", j[1], "b/other"); code != 1 || !strings.Contains(out, "never received") {
			t.Errorf("%s, what is not there: %d, %s", j[1], code, out)
		}
		for _, name := range []string{"a/x", j[2]} { // by its source, and by its own name
			if code, out := w.ctl("forget", "-n", j[1], name); code != 0 || !strings.Contains(out, j[2]+"@") {
				t.Errorf("%s -n: %d, %s", j[1], code, out)
			}
		}
		if code, out := w.ctl("forget", j[1], j[2]); code != 0 || !strings.Contains(out, j[2]+"@") {
			t.Errorf("%s: %d, %s", j[1], code, out)
		}
		if code, out := w.ctl("forget", j[1], j[2]); code != 1 || !strings.Contains(out, "nothing to forget") {
			t.Errorf("%s, again: %d, %s", j[1], code, out)
		}
	}
	if after := w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name"); !slices.Equal(before, after) {
		t.Errorf("%q became %q", before, after)
	}
	if code, out := w.ctl("verify", "mirror"); code != 1 || !strings.Contains(out, `none of the 2 datasets that the rules allow has the property "zreplctl:backup=daily"`) {
		t.Errorf("verify: %d, %s", code, out)
	}
}
