package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/seed"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// TestMain lets the test's own program be zreplctl, and the peers that it
// talks to.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == "hostile-peer":
		peer(os.Args[2])
	case os.Getenv("ZT_ZREPLCTL") != "":
		os.Exit(run(cli.Context(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(built(m))
}

// self is this program, to be zreplctl and the peers.
var self string

func built(m *testing.M) int {
	dir, err := os.MkdirTemp("", "zreplctl-test")
	if err == nil {
		defer os.RemoveAll(dir)
		self, err = simhost.Self(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// evil is what every text of a hostile peer is made of. The word is looked for
// in what is printed, so that a test sees that its text got there.
const evil = "evil\x1b[2J\x1b]0;x\a\b\r\v\f\x7f\u0085\u009b31m\u00ad\u061c\u200b\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufe0f\ufeff\U000e0041\U000e007f\tcolumn\nline"

// world is a configuration with all types of jobs, whose peers are hostile,
// and a simulated ZFS.
type hostileWorld struct {
	t        *testing.T
	bin, dir string
	env      []string
}

func newHostileWorld(t *testing.T, bin string) *hostileWorld {
	t.Helper()
	dir, err := os.MkdirTemp("", "h") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &hostileWorld{t: t, bin: bin, dir: dir}
	w.env = append(os.Environ(), "ZT_ZREPLCTL=1", "PATH="+bin+":"+os.Getenv("PATH"), "ZFS_SIM_ROOT="+filepath.Join(dir, "sim"),
		"ZREPL_ZFS="+filepath.Join(bin, "zfs"), "ZREPLCTL_CONFIG="+filepath.Join(dir, "c.yml"))
	if err := os.MkdirAll(filepath.Join(dir, "sim"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.zfs("zpool", "create", "a")
	w.zfs("zpool", "create", "b")
	w.zfs("zfs", "create", "a/x")
	w.zfs("zfs", "snapshot", "a/x@s1")
	w.configure("list")
	return w
}

func (w *hostileWorld) zfs(args ...string) {
	w.t.Helper()
	if args[0] == "zpool" && args[1] == "create" {
		img := filepath.Join(w.dir, args[2]+".img")
		if err := os.WriteFile(img, nil, 0o600); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Truncate(img, 1<<30); err != nil {
			w.t.Fatal(err)
		}
		args = append(args, img)
	}
	c := exec.Command(filepath.Join(w.bin, args[0]), args[1:]...)
	c.Env = w.env
	if out, err := c.CombinedOutput(); err != nil {
		w.t.Fatalf("%q: %v: %s", args, err, out)
	}
}

// configure writes the configuration with the hostile peers' way.
func (w *hostileWorld) configure(mode string) {
	w.t.Helper()
	text := strings.NewReplacer("DIR", w.dir, "SELF", self, "MODE", mode).Replace(`
global: {rundir: DIR/run}
jobs:
- {name: fetch, type: pull, interval: 1h, connect: {type: exec, command: [SELF, hostile-peer, MODE]}, mapping: {"a<": b/back/a}}
- {name: bring, type: push, connect: {type: exec, command: [SELF, hostile-peer, MODE]}, datasets: {"a/x<": ok}, snapshot_prefix: s, shared_prefix: true}
- {name: mirror, type: local, mapping: {"a/x<": b/mirror}, snapshot_prefix: s, shared_prefix: true, prune_lhs: {keep: [{type: last_n, count: 1}]}, prune_rhs: {keep: [{type: last_n, count: 1}]}}
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a<": ok}, snapshot_prefix: s, shared_prefix: true, prune: {keep: [{type: last_n, count: 1}]}}
`)
	w.write("c.yml", text)
}

func (w *hostileWorld) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// records writes records of runs as hostile as JSON can be.
func (w *hostileWorld) records() {
	for job, kind := range map[string]string{"fetch": "pull", "bring": "push", "mirror": "local", "offer": "source"} {
		rows := []map[string]any{{"source": evil, "target": evil, "state": evil, "to": evil, "reason": evil, "error": evil}}
		text, err := json.Marshal(map[string]any{"job": evil, "type": kind, "started": "2026-01-01T00:00:00.123456789+01:00",
			"ended": "2026-01-01T00:00:00Z", "ok": false, "error": evil, "datasets": rows, "failed": map[string]string{evil: evil}})
		if err != nil {
			w.t.Fatal(err)
		}
		w.write("run/"+job+".json", string(text))
		if text, err = json.Marshal(map[string]any{"job": evil, "part": evil, "client": evil, "error": evil}); err != nil {
			w.t.Fatal(err)
		}
		w.write("run/"+job+".log", string(text)+"\n")
		verified := map[string]any{"source": evil, "tried": 1, "at": 1, "snapshot": evil, "differs": true, "why": evil}
		if text, err = json.Marshal(map[string]any{evil: verified}); err != nil {
			w.t.Fatal(err)
		}
		w.write("run/"+job+".verified", string(text)+"\n")
	}
}

// result is what a command printed.
type result struct{ stdout, stderr, progress string }

// patience is how long a command may take on a busy machine.
const patience = 2 * time.Minute

// ctl runs zreplctl with a file for progress. One that goes on is ended once it has
// said a text; empty: it ends by itself.
func (w *hostileWorld) ctl(until, stdin string, env []string, args ...string) (r result) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	program := self
	if until != "" { // what goes on has something to race with
		program = os.Args[0]
	}
	c := exec.CommandContext(ctx, program, args...)
	c.Env = append(slices.Clone(w.env), env...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	progress, err := os.Create(filepath.Join(w.t.TempDir(), "progress"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer progress.Close()
	out, errs := &listening{text: until, heard: cancel}, &listening{text: until, heard: cancel}
	c.Stdin, c.Stdout, c.Stderr, c.ExtraFiles = strings.NewReader(stdin), out, errs, []*os.File{progress}
	c.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		w.t.Errorf("%q goes on after %v: %s%s", args, patience, out, errs)
	}
	text, err := os.ReadFile(progress.Name())
	if err != nil {
		w.t.Fatal(err)
	}
	return result{out.String(), errs.String(), string(text)}
}

// listening is a buffer that calls a function once it holds a text.
type listening struct {
	said  bytes.Buffer
	text  string
	heard func()
}

func (l *listening) Write(p []byte) (int, error) {
	n, err := l.said.Write(p)
	if l.text != "" && bytes.Contains(l.said.Bytes(), []byte(l.text)) {
		l.heard()
	}
	return n, err
}

func (l *listening) String() string { return l.said.String() }

// harmless fails the test where text holds what no terminal may get.
func harmless(t *testing.T, what, text string, erases bool) {
	t.Helper()
	if erases { // our own progress writes over its line
		text = strings.ReplaceAll(text, "\r\x1b[K", "")
	}
	for line := range strings.Lines(text) {
		if line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", ""); !clean.Plain(line) || !utf8.ValidString(line) {
			t.Errorf("%s has %q", what, line)
		}
	}
}

// attack is a way in which a command meets hostile text.
type attack struct {
	mode    string   // of the peer
	args    []string // of zreplctl
	env     []string
	stdin   string
	until   string // what it has said when it is to end; empty: it ends by itself
	silent  bool   // nothing of the hostile text need be printed
	prepare func(*hostileWorld)
	binary  bool // standard output is no text
}

func args(words ...string) []string { return words }

// attacks has every subcommand: one that is missing fails the test.
func attacks() map[string][]attack {
	modes := []string{"hello", "role", "list", "trailer", "send", "protect", "banner", "garbage", "sink", "receive"}
	var pulls, pushes, plans, abandons, verifies []attack
	for _, mode := range modes {
		quiet := mode == "protect"
		pulls = append(pulls, attack{mode: mode, args: args("pull", "fetch", "-progress-fd", "3", "-progress", "-retries", "0"), silent: quiet || mode == "sink" || mode == "receive"})
		pushes = append(pushes, attack{mode: mode, args: args("push", "bring", "-progress-fd", "3", "-retries", "0"), silent: true})
		plans = append(plans, attack{mode: mode, args: args("plan", "fetch"), silent: true}, attack{mode: mode, args: args("plan", "fetch", "-json"), silent: true},
			attack{mode: mode, args: args("plan", "bring"), silent: true})
		verifies = append(verifies, attack{mode: mode, args: args("verify", "fetch"), silent: true}, attack{mode: mode, args: args("verify", "-deep", "-json", "fetch"), silent: true},
			attack{mode: mode, args: args("verify", "bring"), silent: true})
		abandons = append(abandons, attack{mode: mode, args: args("abandon", "fetch"), silent: true}, attack{mode: mode, args: args("abandon", "bring", "-n"), silent: true})
	}
	badConfig := []string{"ZREPLCTL_CONFIG=/nonexistent/" + strings.ReplaceAll(evil, "\n", "")}
	wrongFile := func(w *hostileWorld) {
		w.write("c.yml", "jobs:\n- {name: \""+yamlText(evil)+"\", type: \""+yamlText(evil)+"\"}\n")
	}
	const ran = "a run has failed" // the daemon's first, of fetch
	records := func(w *hostileWorld) { w.records() }
	fakeZFS := func(w *hostileWorld) { w.fakeZFS() }
	all := map[string][]attack{
		"check":    {{args: args("check"), prepare: wrongFile}, {args: args("check", "-json"), prepare: wrongFile}, {args: args("check", evil)}, {args: args("check"), env: badConfig}},
		"list":     {{args: args("list", evil)}, {args: args("list"), prepare: wrongFile}},
		"config":   {{args: args("config", evil)}, {args: args("config"), prepare: wrongFile}},
		"show":     {{args: args("show", evil, "rules")}, {args: args("show", "fetch", "rules", "-side", evil), silent: true}},
		"steps":    stepsAttacks(),
		"plan":     append(plans, attack{args: args("plan", evil)}),
		"pull":     append(pulls, attack{args: args("pull", evil)}, attack{args: args("pull", "fetch"), prepare: func(w *hostileWorld) { w.daemon() }}),
		"push":     append(pushes, attack{args: args("push", evil)}),
		"local":    {{args: args("local", evil)}, {args: args("local", "mirror", "-skip", evil)}, {args: args("local", "mirror"), prepare: fakeZFS}, {args: args("local", "mirror"), silent: true}},
		"autosnap": {{args: args("autosnap", evil)}, {args: args("autosnap", "offer"), prepare: fakeZFS}},
		"prune":    {{args: args("prune", evil)}, {args: args("prune", "offer"), prepare: fakeZFS, silent: true}},
		"serve":    {{args: args("serve", evil), binary: true}, {args: args("serve", "me", "-status-fd", "3"), stdin: "GET /" + evil, binary: true, silent: true}, {args: args("serve", "me"), stdin: evil + evil, binary: true, silent: true}},
		"holds":    {{args: args("holds", evil), silent: true}, {args: args("holds"), prepare: fakeZFS}, {args: args("holds", "-release"), prepare: fakeZFS}},
		"activate": {{args: args("activate", evil)}, {args: args("activate", "b/x"), prepare: fakeZFS}, {args: args("activate", "-any", "-n", "b/x"), prepare: func(w *hostileWorld) { w.properties() }, silent: true}},
		"import":   importAttacks(),
		"forget":   {{args: args("forget", evil, "b/x")}, {args: args("forget", "fetch", evil), silent: true}, {args: args("forget", "-n", "fetch", "b/x"), prepare: fakeZFS, silent: true}},
		"abandon":  append(abandons, attack{args: args("abandon", evil)}),
		"daemon":   {{args: args("daemon", evil)}, {args: args("daemon"), mode: "list", until: ran}, {args: args("daemon"), mode: "banner", until: ran}, {args: args("daemon"), mode: "hello", until: ran}},
		"verify":   append(verifies, attack{args: args("verify", evil)}, attack{args: args("verify", "-dataset", evil, "fetch"), silent: true}, attack{args: args("verify", "-sample", evil, "fetch"), silent: true}),
		"find": {{args: args("find", evil, "x")}, {args: args("find", "mirror", evil)}, {args: args("find", "-dataset", evil, "mirror", "x"), silent: true}, {args: args("find", "mirror", "a/x/file"), prepare: fakeZFS, silent: true},
			{args: args("find", "-json", "mirror", "a/x/file"), prepare: fakeZFS, silent: true}, {args: args("restore", "-file", evil, "mirror", "b/y")}, {args: args("restore", "-file", "x", "mirror", evil, "b/y")}, {args: args("restore", "-file", "a/x/file", "mirror", evil), silent: true}},
		"restore": {{args: args("restore", evil, "a/x", "b/y")}, {args: args("restore", "fetch", evil, "b/y")}, {args: args("restore", "fetch", "a/x", evil), silent: true}, {args: args("restore", "mirror", "a/x", "b/y"), prepare: fakeZFS, silent: true}, {args: args("restore", "-n", "mirror", "a/x", "b/y"), prepare: fakeZFS, silent: true}},
		"export":  {{args: args("export", evil)}, {args: args("export", "-client", evil, "offer")}, {args: args("export", "mirror"), prepare: fakeZFS, binary: true}, {args: args("export", "-n", "offer"), prepare: fakeZFS, silent: true}},
		"import-seed": {{args: args("import-seed", evil)}, {args: args("import-seed", "fetch"), stdin: evil, silent: true}, {args: args("import-seed", "fetch"), stdin: evilSeed()},
			{args: args("import-seed", "-n", "fetch"), stdin: evilSeed()}, {args: args("import-seed", "mirror"), stdin: evilSeed(), silent: true}},
		"digest":     {{args: args("digest", evil), silent: true}, {args: args("digest"), stdin: evil, silent: true}, {args: args("digest", "-objects"), stdin: strings.Repeat(evil, 100), silent: true}},
		"metrics":    {{args: args("metrics"), prepare: records, silent: true}, {args: args("metrics", evil)}},
		"log":        {{args: args("log"), prepare: records}, {args: args("log", "-json"), prepare: records}, {args: args("log", evil)}},
		"notify":     {{args: args("notify"), silent: true}, {args: args("notify", evil)}},
		"report":     {{args: args("report"), prepare: records}, {args: args("report", evil)}},
		"monitor":    {{args: args("monitor"), prepare: records}, {args: args("monitor", evil)}},
		"status":     {{args: args("status"), prepare: records}, {args: args("status", "-json"), prepare: records}, {args: args("status"), prepare: func(w *hostileWorld) { w.daemon() }}, {args: args("status", "-json"), prepare: func(w *hostileWorld) { w.daemon() }}, {args: args("status", "-watch"), until: "evil", prepare: func(w *hostileWorld) { w.daemon() }}, {args: args("status", evil)}},
		"init":       {{args: args("init", evil), silent: true}, {args: args("init", "-n", "-host", evil)}, {args: args("init", "-client", evil)}},
		"next":       {{args: args("next", evil)}, {args: args("next"), prepare: records, silent: true}},
		"stop":       {{args: args("stop", evil)}},
		"pause":      {{args: args("pause", evil)}},
		"resume":     {{args: args("resume", evil)}},
		"reload":     {{args: args("reload", evil)}, {args: args("reload"), prepare: (*hostileWorld).daemon}},
		"completion": {{args: args("completion", evil), silent: true}, {args: args("completion", "words", "--", "pull", evil), silent: true}},
	}
	return all
}

// yamlText is text inside a quoted scalar.
func yamlText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if clean.Forbidden(r) {
			fmt.Fprintf(&b, `\U%08x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// evilSeed is a file of export in which all that can be text is hostile.
func evilSeed() string {
	var out bytes.Buffer
	dataset := map[string]any{"name": "a/" + evil, "keyRoot": evil, "common": evil, "versions": []any{map[string]any{"kind": 64, "name": evil, "guid": 7}}}
	w, err := seed.NewWriter(&out, seed.Head{ID: evil[:min(len(evil), 60)], Role: "source", Job: evil, Client: evil}, []any{dataset})
	if err == nil {
		err = w.Entry(seed.Entry{Dataset: "a/" + evil, Snapshot: evil, GUID: 7})
	}
	if err == nil {
		err = w.Failed(evil)
	}
	if err != nil || w.End() != nil {
		panic(err)
	}
	return out.String()
}

func importAttacks() []attack {
	file := func(text string) func(*hostileWorld) {
		return func(w *hostileWorld) { w.write("list", text) }
	}
	name := strings.NewReplacer("\n", "", "\t", "").Replace(evil)
	return []attack{
		{args: args("import", evil)},
		{args: args("import", "-from", evil, "LIST"), silent: true},
		{args: args("import", "-syncoid", "syncoid a/"+name+" b/x"), silent: true},
		{args: args("import", "-from", "zrepl", "LIST"), prepare: file("jobs:\n- {type: snap, name: \"" + yamlText(name) + "\", \"" + yamlText(name) + "\": 1}\n")},
		{args: args("import", "-from", "sanoid", "LIST"), prepare: file("[" + name + "]\n" + name + " = " + name + "\n")},
		{args: args("import", "-from", "sanoid", "LIST"), prepare: file(name)},
	}
}

func stepsAttacks() []attack {
	list := func(line string) func(*hostileWorld) {
		return func(w *hostileWorld) { w.write("list", line) }
	}
	name := strings.NewReplacer("\n", "", "\t", "").Replace(evil)
	return []attack{
		{args: args("steps", "LIST", "LIST"), prepare: list("a/" + name + "\t1\t1\n")},
		{args: args("steps", "LIST", "LIST"), prepare: list("a@" + name + "\t1\t1\n")},
		{args: args("steps", "LIST", "LIST"), prepare: list("a@s\t" + name + "\t1\n")},
		{args: args("steps", "-r", evil, "LIST", "LIST"), prepare: list("a@s\t1\t1\n")},
		{args: args("steps", "-r", "a="+evil, "LIST", "LIST"), prepare: list("a@s\t1\t1\n")},
		{args: args("steps", evil, "LIST"), prepare: list("")},
		{args: args("steps", "-state", "LIST", "LIST", "LIST"), prepare: list("a@s\t1\t" + name + "\n")},
		{args: args("steps", "LIST", "LIST"), prepare: list("evil\xff\xfe@s\t1\t1\n")},
	}
}

// TestHostileText runs every command against peers, daemons, records, lists
// and zfs programs whose texts are made to do something to a terminal.
func TestHostileText(t *testing.T) {
	bin := hostileBin(t)
	root, _ := newRoot(&globals{})
	all := attacks()
	for _, command := range root.Subcommands {
		list := all[command.Name]
		if len(list) == 0 {
			t.Errorf("no attack on subcommand %q: add one to attacks", command.Name)
		}
		delete(all, command.Name)
		t.Run(command.Name, func(t *testing.T) {
			t.Parallel()
			for i, a := range list {
				t.Run(fmt.Sprintf("%d%s", i, a.mode), func(t *testing.T) { a.run(t, bin) })
			}
		})
	}
	for name := range all {
		t.Errorf("there is no subcommand %q", name)
	}
}

// hostileBin builds the programs that zreplctl starts.
func hostileBin(t *testing.T) string {
	t.Helper()
	if built := simhost.Built(); built != "" {
		return built
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin+"/", "work")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"zfs", "zpool"} {
		if err := os.Symlink("zfs-sim", filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func (a attack) run(t *testing.T, bin string) {
	w := newHostileWorld(t, bin)
	w.configure(cmp.Or(a.mode, "list"))
	if a.prepare != nil {
		a.prepare(w)
	}
	words := slices.Clone(a.args)
	for i, word := range words {
		words[i] = strings.ReplaceAll(word, "LIST", filepath.Join(w.dir, "list"))
	}
	r := w.ctl(a.until, a.stdin, a.env, words...)
	if !a.binary {
		harmless(t, "standard output", r.stdout, false)
	}
	harmless(t, "standard error", r.stderr, slices.Contains(a.args, "-progress"))
	harmless(t, "progress", r.progress, false)
	if !a.silent && !strings.Contains(r.stdout+r.stderr, "evil") {
		t.Errorf("%q: the hostile text did not arrive: %s%s", a.args, r.stdout, r.stderr)
	}
	if slices.Contains(a.args, "-json") {
		for line := range strings.Lines(r.stdout) {
			if a.args[0] != "check" && !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %s", line)
			}
			if strings.Contains(line, "null") || strings.Contains(line, "0001-01-01") || strings.Contains(line, ".123456789") {
				t.Errorf("for programs: %s", line)
			}
		}
	}
	if testing.Verbose() {
		t.Logf("%q:\n%s%s", words, r.stdout, r.stderr)
	}
}
