package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

var testDefaults = Global{RunDir: "/var/run/zreplctl", StateDir: "/var/lib/zreplctl"}

func parseText(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse([]byte(text), "f", testDefaults)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRoundTrip: what Encode writes reads as the same, and is written as the
// same again.
func TestRoundTrip(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.yml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		first := parseText(t, string(text))
		once, err := first.Encode()
		if err != nil {
			t.Fatal(err)
		}
		second := parseText(t, string(once))
		twice, err := second.Encode()
		if d := cmp.Diff(string(once), string(twice)); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", path, err, d)
		}
		first.Global.Rate, second.Global.Rate = nil, nil // a pointer: the text above has what it says
		if len(first.Jobs) != len(second.Jobs) || first.Global != second.Global {
			t.Errorf("%s: %d jobs became %d", path, len(first.Jobs), len(second.Jobs))
		}
		for i, j := range first.Jobs {
			if j.Summary() != second.Jobs[i].Summary() {
				t.Errorf("%s: %s\nbecame %s", path, j.Summary(), second.Jobs[i].Summary())
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	c := parseText(t, `jobs:
- {name: a, type: pull, connect: {type: ssh+stdinserver, host: h}, mapping: {"<": t/a}}
- {name: b, type: source, serve: {type: stdinserver, client_identity: c}, datasets: {"<": ok}}`)
	if want := (Global{"/var/run/zreplctl", "/var/lib/zreplctl", "/var/run/zreplctl/daemon/control", "/var/run/zreplctl/stdinserver",
		Limits{128, 16, 0, 10 * time.Minute, time.Minute}, Monitor{}, 30 * time.Second, nil, 8}); c.Global != want {
		t.Errorf("global: %+v", c.Global)
	}
	a, b := c.Jobs[0], c.Jobs[1]
	if a.InitialReplPolicy != "most_recent" || a.Parallel != 1 || a.Checksum != "none" || a.Interval != 0 || a.Prune != nil || a.Send != (Send{}) || a.Cursor != "" {
		t.Errorf("pull: %+v", a)
	}
	if b.Cursor != CursorHold || b.Send != (Send{SendOptions: dataset.SendOptions{LargeBlocks: true}}) || b.Parallel != 1 || b.InitialReplPolicy != "" {
		t.Errorf("source: %+v", b)
	}
	if d := cmp.Diff([][]string{{"a"}, {"c"}}, [][]string{a.IDs(), b.IDs()}); d != "" {
		t.Errorf("IDs %s", d)
	}
	if j, err := c.Serving("c"); err != nil || j != b {
		t.Errorf("Serving: %v, %v", j, err)
	}
	if _, err := c.Serving("b"); err == nil {
		t.Error("b is no client")
	}
}

func TestWarnings(t *testing.T) {
	c := parseText(t, `jobs:
- {name: a, type: pull, connect: {type: ssh+stdinserver, host: h}, mapping: {"x<": t/a, "y<": t/a/b}}
- {name: b, type: source, interval: 1h, serve: {type: stdinserver, client_identity: c}, datasets: {"<": "!"}}
- {name: often, type: autosnap, interval: 1h, datasets: {"p/a<": ok}, snapshot_prefix: z_, keep: [{type: last_n, count: 2}]}
- {name: often_too, type: pull, connect: {type: ssh+stdinserver, host: H., port: 22, options: [Compression=yes]}, mapping: {"z<": t/z}}
- {name: as_another, type: pull, connect: {type: ssh+stdinserver, host: h, options: [IdentityFile=/x]}, mapping: {"y<": t/y}}
- {name: all, type: autosnap, datasets: {"t/a<": ok}, snapshot_prefix: all_}
- {name: elsewhere, type: autosnap, interval: 24h, datasets: {"q<": ok}, snapshot_prefix: z_daily_}
- {name: by_hand, type: autosnap, datasets: {"q/a<": ok}, snapshot_prefix: z_}
- {name: taker, type: autosnap, datasets: {"u<": ok}, snapshot_prefix: u_}
- {name: sink, type: push-sink, serve: {type: stdinserver, client_identity: s}, root: u/sink}
- {name: pruner, type: prune, datasets: {"u<": ok}, snapshot_prefix: u_, keep: [{type: last_n, count: 3}]}
- {name: half, type: local, mapping: {"v<": w/v}, snapshot_prefix: v_, prune_rhs: {keep: []}}
- {name: half_sink, type: push-sink, serve: {type: stdinserver, client_identity: r}, root: w/sink, shared_target: true}`)
	var got []string
	for _, w := range c.Warnings {
		got = append(got, w.Error())
	}
	want := []string{
		`f:2:68: job "a": mapping: rules "x<=t/a" and "y<=t/a/b" could bring two datasets to one target`,
		`f:3:3: job "b": without snapshot_prefix the job takes no snapshots of its own`,
		`f:3:89: job "b": datasets: the rules allow no dataset`,
		`f:5:33: job "often_too": connect: it connects as job "a" does, and so as the same client, which has one job and one cursor there: give it a key and an identity of its own`,
		`f:7:31: job "all": it takes snapshots of what job "a" receives in "t/a": leave that out`,
		`f:9:59: job "by_hand": snapshot_prefix: "z_" and "z_daily_" of job "elsewhere" begin alike, on "q/a": the snapshots of one would count as the other's: write another prefix, or shared_prefix: true in both if you want that`,
		`f:10:33: job "taker": it takes snapshots of what job "sink" receives in "u/sink": leave that out`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestPolicyless: the summary says whose snapshots pile up, unless another job
// of the file destroys them.
func TestPolicyless(t *testing.T) {
	c := parseText(t, `jobs:
- {name: pull, type: pull, connect: {type: exec, command: [x]}, mapping: {"<": t}}
- {name: taker, type: autosnap, datasets: {"u<": ok}, snapshot_prefix: u_}
- {name: sink, type: push-sink, serve: {type: stdinserver, client_identity: s}, root: u/sink}
- {name: pruner, type: prune, datasets: {"u<": ok, "v<": ok}, snapshot_prefix: u_, keep: [{type: last_n, count: 3}]}
- {name: other_prefix, type: autosnap, datasets: {"u<": ok}, snapshot_prefix: o_}
- {name: elsewhere, type: autosnap, datasets: {"w<": ok}, snapshot_prefix: u_}
- {name: left, type: local, mapping: {"x<": y/x}, snapshot_prefix: v_, prune_rhs: {keep: []}}
- {name: both, type: local, mapping: {"z<": y/z}, snapshot_prefix: v_}
- {name: offers, type: source, serve: {type: stdinserver, client_identity: c}, datasets: {"w<": ok}}
- {name: others, type: local, mapping: {"m<": y/m}, snapshot_prefix: m_, snapshots: {regex: ^(auto_day|auto_week)}, prune_lhs: {keep: [{type: last_n, count: 3}]}, prune_rhs: {keep: [{type: last_n, count: 3}]}}
- {name: some, type: local, mapping: {"n<": y/n}, snapshot_prefix: n_day, snapshots: {regex: "^n_.*day"}, prune_lhs: {keep: []}, prune_rhs: {keep: [{type: last_n, count: 3}]}}
- {name: anywhere, type: local, mapping: {"o<": y/o}, snapshot_prefix: o_day, snapshots: {regex: "auto_"}, prune_lhs: {keep: [{type: last_n, count: 3}]}, prune_rhs: {keep: [{type: last_n, count: 3}]}}
- {name: auto, type: pull, connect: {type: exec, command: [x]}, mapping: {"m<": v/m}, snapshots: {regex: ^auto_}}
- {name: uplike, type: pull, connect: {type: exec, command: [x]}, mapping: {"m<": v/u}, snapshots: {regex: ^u_day}}`)
	want := map[string]string{"pull": "receives", "other_prefix": "takes", "elsewhere": "takes", "left": "takes", "both": "takes and receives",
		"others": "receives", "auto": "receives"}
	for _, j := range c.Jobs {
		_, said, _ := strings.Cut(j.Summary(), "; no policy: the snapshots that it ")
		if said, _, _ = strings.Cut(said, " pile up"); said != want[j.Name] {
			t.Errorf("%s: %q", j.Name, j.Summary())
		}
	}
}

func TestNoJob(t *testing.T) {
	c := parseText(t, `jobs: [{name: nightly, type: autosnap, datasets: {"<": ok}, snapshot_prefix: x}]`)
	for name, hint := range map[string]string{"nigthly": `did you mean "nightly"?`, "else": "the jobs are nightly"} {
		_, err := c.Job(name)
		h, ok := err.(interface{ Hint() string })
		if !ok || h.Hint() != hint {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "90s": 90 * time.Second, "10m": 10 * time.Minute, "10min": 10 * time.Minute,
		"1h30m": 90 * time.Minute, "1d": 24 * time.Hour, "2w": 14 * 24 * time.Hour, "1w1d1h1m1s": 694861 * time.Second, "0s": 0,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if again, err := ParseDuration(FormatDuration(got)); err != nil || again != got {
			t.Errorf("%s is written as %s", text, FormatDuration(got))
		}
	}
	for _, text := range []string{"", "1", "s", "1x", "1.5h", "-1s", "1h1h", "1m1h", "1m1min", " 1s", "1 s", "1S", "99999999999999999999s", "9999999999w", "3651d"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q reads as %v", text, d)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, test := range []struct{ word, want string }{
		{"mappnig", "mapping"}, {"maping", "mapping"}, {"datsets", "datasets"}, {"nmae", "name"}, {"conect", "connect"},
		{"intervall", "interval"}, {"colour", ""}, {"x", ""}, {"", ""}, {"snapshot_prefx", "snapshot_prefix"}, {"prun", "prune"},
	} {
		if got := Nearest(test.word, allKeys); got != test.want {
			t.Errorf("%q: %q, want %q", test.word, got, test.want)
		}
	}
}

// FuzzParse: any text gives a configuration or errors, each in one line and
// with the file's name; a configuration is written and read again the same.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yml", "testdata/wrong/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text, "f", testDefaults)
		if err != nil {
			if c != nil || err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		once, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(once, "f", testDefaults)
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if twice, err := again.Encode(); err != nil || string(twice) != string(once) {
			t.Fatalf("%v: once\n%s\ntwice\n%s", err, once, twice)
		}
		for _, j := range c.Jobs {
			j.Summary()
		}
	})
}

func TestLimits(t *testing.T) {
	c := parseText(t, `global: {serve: {limits: {connections: 40, client_connections: 3, idle: 30s}}}
jobs:
- {name: a, type: pull, parallel: 17, connect: {type: ssh+stdinserver, host: h}, mapping: {"<": t/a}}`)
	if want := (Limits{40, 3, 0, 30 * time.Second, time.Minute}); c.Global.Limits != want {
		t.Errorf("%+v", c.Global.Limits)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "the other host allows a client 16 connections") {
		t.Errorf("%v", c.Warnings)
	}
	for text, want := range map[string]string{
		"connections: 0": "out of range: 1 to 10000", "client_connections: many": "a whole number", "idle: 1s": "too short: at least 5s",
		"silence: 60": "no unit", "other: 1": "unknown key",
	} {
		_, err := Parse([]byte("global: {serve: {limits: {"+text+"}}}\njobs: [{name: p, type: prune, datasets: {a: ok}, keep: [{type: last_n, count: 2}]}]"), "f", testDefaults)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
