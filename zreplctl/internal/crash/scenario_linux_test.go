package crash

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// command is one of zreplctl on one host.
type command struct {
	host string
	args []string
}

// scenario is something that is replicated, up to the run in which things go
// wrong.
type scenario struct {
	name     string
	config   func(w *world, host string) string
	prepare  func(t *testing.T, w *world)
	commands []command
	cut      string // which relay can cut the connection: the serving host, "" for none
	bulk     string // the direction in which the streams go: "from" the serving host, or "to" it
	spec     string // what the relay is to do
	last     string // the hold on the receiver
	cursor   string // of the sending job: hold or bookmark
	parallel int
	proof    string // a zfs command that the sender must run, if nothing happens
}

var datasets = []string{"src/data", secret, "src/data/a", "src/data/a/deep", "src/data/b"}

const secret = "src/data/secret" // is encrypted, and sent as it is

// sizes of the files in them: one needs more than one frame.
var sizes = []int{20000, 30000, 50000, 100000, 1500000}

func target(source string) string { return "dst/back/" + source }

const keepTwo = `keep: [{type: last_n, count: 2}]`

func pullConfig(w *world, host string) string {
	if host == "src" {
		return fmt.Sprintf(`
global: {rundir: %s}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: backup}, datasets: {"src/data<": ok},
   snapshot_prefix: s, interval: 1h, cursor: %s, %s}
`, w.path("src/run"), cmp.Or(w.scenario.cursor, "hold"), keepTwo)
	}
	return fmt.Sprintf(`
global: {rundir: %s}
jobs:
- {name: fetch, type: pull, connect: {type: exec, command: %s}, mapping: {"<": dst/back}, initial_repl_policy: all,
   snapshot_prefix: s, interval: 1h, parallel: %d, %s}
`, w.path("dst/run"), w.serve("src", "backup", w.scenario.spec), max(w.scenario.parallel, 1), keepTwo)
}

func pushConfig(w *world, host string) string {
	if host == "src" {
		return fmt.Sprintf(`
global: {rundir: %s}
jobs:
- {name: give, type: push, connect: {type: exec, command: %s}, datasets: {"src/data<": ok}, initial_repl_policy: all,
   snapshot_prefix: s, interval: 1h, cursor: %s, parallel: %d, %s}
`, w.path("src/run"), w.serve("dst", "prod", w.scenario.spec), cmp.Or(w.scenario.cursor, "hold"), max(w.scenario.parallel, 1), keepTwo)
	}
	return fmt.Sprintf(`
global: {rundir: %s}
jobs:
- {name: take, type: push-sink, serve: {type: stdinserver, client_identity: prod}, root: dst/back,
   snapshot_prefix: s, interval: 1h, %s}
`, w.path("dst/run"), keepTwo)
}

func localConfig(w *world, host string) string {
	return fmt.Sprintf(`
global: {rundir: %s}
jobs:
- {name: mirror, type: local, mapping: {"src/data<": dst/back/src/data}, initial_repl_policy: all,
   snapshot_prefix: s, interval: 1h, prune_lhs: {%s}, prune_rhs: {%s}}
`, w.path(host+"/run"), keepTwo, keepTwo)
}

var (
	pull  = []command{{"dst", []string{"pull", "-retries", "0", "fetch"}}, {"src", []string{"prune", "offer"}}}
	push  = []command{{"src", []string{"push", "-skip", "snapshot", "-retries", "0", "give"}}, {"dst", []string{"prune", "take"}}}
	local = []command{{"src", []string{"local", "-skip", "snapshot", "mirror"}}}
)

var scenarios = []scenario{
	{name: "first pull", config: pullConfig, prepare: first, commands: pull, cut: "src", bulk: "from", last: "zreplctl_last_fetch"},
	{name: "incremental pull", config: pullConfig, prepare: later, commands: pull, cut: "src", bulk: "from", last: "zreplctl_last_fetch"},
	{name: "resumed pull", config: pullConfig, prepare: resumed, commands: pull, cut: "src", bulk: "from", last: "zreplctl_last_fetch", proof: " -t 1-"},
	{name: "pull over a placeholder", config: pullConfig, prepare: placeholder, commands: pull, cut: "src", bulk: "from", last: "zreplctl_last_fetch"},
	{name: "push", config: pushConfig, prepare: later, commands: push, cut: "dst", bulk: "to", last: "zreplctl_last_take"},
	{name: "pull in parallel with bookmarks", config: pullConfig, prepare: later, commands: pull, cut: "src", bulk: "from",
		last: "zreplctl_last_fetch", parallel: 4, cursor: "bookmark", proof: "zfs bookmark"},
	{name: "first push with bookmarks", config: pushConfig, prepare: first, commands: push, cut: "dst", bulk: "to",
		last: "zreplctl_last_take", cursor: "bookmark", proof: "zfs bookmark"},
	{name: "local", config: localConfig, prepare: later, commands: local, last: "zreplctl_last_mirror"},
}

// first makes the datasets with two snapshots.
func first(t *testing.T, w *world) {
	empty(t, w)
	change(t, w, "1", "2")
}

// placeholder is a replication that worked when src/data had no snapshots yet.
func placeholder(t *testing.T, w *world) {
	empty(t, w)
	change(t, w, "1")
	w.must(t, "zfs", "destroy", "src/data@s1")
	if o := w.replicate(t); o.status != 0 {
		t.Fatalf("the first replication: status %d: %s", o.status, o.talk)
	}
	change(t, w, "2")
}

// empty makes the datasets, and things of the receiver's own that nobody may
// touch.
func empty(t *testing.T, w *world) {
	w.write(t, "key", "a secret that nobody knows")
	for _, ds := range datasets {
		if ds == secret {
			w.must(t, "zfs", "create", "-o", "encryption=on", "-o", "keyformat=passphrase", "-o", "keylocation=file://"+w.path("key"), ds)
		} else {
			w.must(t, "zfs", "create", ds)
		}
	}
	w.must(t, "zfs", "create", "dst/back")
	w.must(t, "zfs", "create", "dst/own")
	w.fill(t, "dst/own", "mine", 1000)
	w.must(t, "zfs", "snapshot", "dst/own@s0")
}

// change writes into every dataset and takes a snapshot, for each name.
func change(t *testing.T, w *world, names ...string) {
	for _, n := range names {
		for i, ds := range datasets {
			w.fill(t, ds, "f"+n, sizes[i])
		}
		w.must(t, "zfs", "snapshot", "-r", "src/data@s"+n)
	}
}

// later is a replication that worked, and two snapshots more.
func later(t *testing.T, w *world) {
	first(t, w)
	if o := w.replicate(t); o.status != 0 {
		t.Fatalf("the first replication: status %d: %s", o.status, o.talk)
	}
	change(t, w, "3", "4")
}

// resumed is a replication that was cut in the middle of a stream. What was
// still in a pipe then is lost, so that it may take more than one cut until
// something is left to resume.
func resumed(t *testing.T, w *world) {
	later(t, w)
	biggest := slices.Max(sizes)
	for at := biggest / 5 * 4; at < 2*biggest; at += biggest / 15 {
		c := w.copy(t)
		c.scenario.spec = fmt.Sprintf("%s:%d:bytes", c.scenario.bulk, at)
		c.heal(t)
		c.replicate(t)
		tokens := c.must(t, "zfs", "get", "-H", "-r", "-o", "value", "receive_resume_token", "dst/back")
		if strings.Contains(tokens, "1-") {
			c.scenario.spec = ""
			w.discard()
			*w = *c
			w.heal(t)
			return
		}
	}
	t.Fatal("no cut left a receive that can be resumed")
}
