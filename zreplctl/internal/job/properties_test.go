package job_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

const propertyJobs = `
- {name: told, type: source, serve: {type: stdinserver, client_identity: told}, datasets: {"a/x<": ok, "a/v": ok}, snapshot_prefix: s, send: {properties: true}}
- {name: pulled, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, told]}, mapping: {"a<": b/pull}, recv: RECV}
- {name: bare, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, told]}, mapping: {"a<": b/bare}}
- {name: copied, type: local, mapping: {"a/x<": b/local/x, "a/v": b/local/v}, snapshot_prefix: s, send: {properties: true}, recv: RECV}
- {name: taking, type: push-sink, serve: {type: stdinserver, client_identity: taking}, root: b/push, recv: RECV}
- {name: pushed, type: push, datasets: {"a/x<": ok, "a/v": ok}, snapshot_prefix: s, send: {properties: true},
   connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, taking]}}
`

// receiving adds jobs of all three kinds whose receivers take what recv says.
func (w *world) receiving(recv string) { w.extend(strings.ReplaceAll(propertyJobs, "RECV", recv)) }

// threeWays are the kinds of job, and where they put a.
var threeWays = []struct{ kind, job, root string }{{"pull", "pulled", "b/pull"}, {"local", "copied", "b/local"}, {"push", "pushed", "b/push/a"}}

// value is what a dataset shows of a property: value and source.
func (w *world) value(ds, property string) string {
	w.t.Helper()
	return strings.TrimSpace(strings.ReplaceAll(w.must("zfs", "get", "-Hp", "-o", "value,source", property, ds), "\t", " "))
}

func (w *world) shows(ds, property, want string) {
	w.t.Helper()
	if got := w.value(ds, property); got != want {
		w.t.Errorf("%s: %s is %q, not %q", ds, property, got, want)
	}
}

const chosen = `{properties: [compression, recordsize, quota, dedup, "com.acme:*"], exclude: ["com.acme:secret*"], override: {dedup: "off", "site:copy": "yes"}}`

// TestTaken takes properties, changes them and takes them back, in all three
// ways, also without a new snapshot.
func TestTaken(t *testing.T) {
	t.Parallel()
	for _, way := range threeWays {
		t.Run(way.kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.receiving(chosen)
			w.tree()
			x := way.root + "/x"
			w.must("zfs", "set", "compression=gzip", "recordsize=64K", "quota=1G", "dedup=on", "com.acme:a=one two\tthree=4", "com.acme:secret=no",
				"com.other:b=no", "sync=disabled", "mountpoint=/etc", "exec=off", "a/x")
			w.must("zfs", "set", "com.acme:tab=fine", "compression=lz4", "a/v")
			w.must("zfs", "set", "com.acme:a=1", "a/x/y")
			w.snapshot("s1")
			said := w.done(way.kind, way.job)
			if strings.Count(said, `"com.acme:a" of "a/x" is left out`) != 1 { // it holds a tab
				t.Errorf("of a value with a tab it says %s", said)
			}
			w.must("zfs", "set", "com.acme:a=one two three=4", "a/x")
			w.done(way.kind, way.job)
			w.shows(x, "compression", "gzip local")
			w.shows(x, "recordsize", "65536 local")
			w.shows(x, "quota", "1073741824 local")
			w.shows(x, "com.acme:a", "one two three=4 local")
			w.shows(x, "dedup", "off local")
			w.shows(x, "site:copy", "yes local")
			for _, no := range []string{"com.acme:secret", "com.other:b"} {
				w.shows(x, no, "- -")
			}
			w.shows(x, "sync", "standard default")
			w.shows(x+"/y", "com.acme:a", "1 local")
			w.shows(way.root+"/v", "compression", "lz4 local")
			w.shows(way.root+"/v", "com.acme:tab", "fine local")
			if got := w.value(x, "mountpoint"); strings.Contains(got, "/etc") {
				t.Errorf("the source decides where it is mounted: %s", got)
			}

			w.must("zfs", "set", "compression=zstd", "a/x")
			for _, p := range []string{"recordsize", "com.acme:a"} {
				w.must("zfs", "inherit", p, "a/x")
			}
			w.must("zfs", "set", "quota=none", "com.acme:new=1", "a/x")
			w.done(way.kind, way.job)
			w.shows(x, "compression", "zstd local")
			w.shows(x, "recordsize", "131072 default")
			w.shows(x, "com.acme:a", "- -")
			w.shows(x, "com.acme:new", "1 local")
			if got := w.value(x, "quota"); !strings.HasPrefix(got, "0 ") {
				t.Errorf("quota is %s", got)
			}
			w.shows(x+"/y", "com.acme:a", "1 local")

			w.write("sim/log", "")
			w.done(way.kind, way.job)
			for _, c := range w.logged("") {
				if verb, _, _ := strings.Cut(c, " "); verb == "set" || verb == "inherit" {
					t.Errorf("nothing changed, and yet: zfs %s", c)
				}
			}
			w.receiving("{properties: none}") // what was taken goes again
			w.done(way.kind, way.job)
			w.shows(x, "compression", "on default")
			w.shows(x, "com.acme:new", "- -")
			w.shows(x, "site:copy", "yes local")
			w.shows(x, "zreplctl:properties", "- -")
		})
	}
}

// TestTakenNone: without the key nothing is taken, whatever a source tells.
func TestTakenNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.receiving("{properties: safe}")
	w.tree()
	w.must("zfs", "set", "compression=gzip", "reservation=1M", "sync=disabled", "snapdir=visible", "user:x=1", "a/x")
	w.snapshot("s1")
	w.done("pull", "bare")
	w.ctl("forget", "told") // an identity is one job's, and here another takes its place
	w.done("pull", "pulled")
	w.shows("b/bare/x", "compression", "on default")
	w.shows("b/pull/x", "compression", "gzip local")
	for _, root := range []string{"b/bare/x", "b/pull/x"} {
		for p, want := range map[string]string{"reservation": "0 default", "sync": "standard default", "snapdir": "hidden default", "user:x": "- -"} {
			w.shows(root, p, want)
		}
	}
	for _, c := range w.logged("send") {
		if slices.Contains(strings.Fields(c), "-p") {
			t.Errorf("zfs %s", c)
		}
	}
}

// TestTakenCost counts zfs commands: telling costs two, and a change as many as
// there are different ones.
func TestTakenCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.receiving(`{properties: all}`)
	w.must("zfs", "create", "-o", "com.acme:a=1", "a/x")
	w.must("zfs", "create", "-V", "1M", "a/v")
	const n = 40
	for i := range n {
		w.must("zfs", "create", "-o", fmt.Sprintf("com.acme:same=%d", i%2), fmt.Sprintf("a/x/%d", i))
	}
	w.snapshot("s1")
	w.done("local", "copied")
	count := func() (reads, changes int) {
		w.write("sim/log", "")
		w.done("local", "copied")
		for _, c := range w.logged("") {
			if strings.Contains(c, "load_guid") { // of the pools: it looks at no dataset
				continue
			}
			switch verb, _, _ := strings.Cut(c, " "); verb {
			case "list", "get", "holds": // the last are of the bases, one on each side
				reads++
			default:
				changes++
			}
		}
		return reads, changes
	}
	if r, c := count(); r > 8 || c > 0 {
		t.Errorf("nothing to do: %d commands that read, %d others", r, c)
	}
	for i := range n {
		w.must("zfs", "set", fmt.Sprintf("com.acme:same=%d", 2+i%2), fmt.Sprintf("a/x/%d", i))
	}
	w.must("zfs", "inherit", "com.acme:a", "a/x")
	r, c := count()
	t.Logf("%d datasets changed: %d commands that read, %d others", n+1, r, c)
	if r > 10 || c > 5 {
		t.Errorf("too many: %d commands that read, %d others", r, c)
	}
	w.shows("b/local/x/7", "com.acme:same", "3 local")
}

// TestTakenByOwner: what somebody set at the copy, or changed there, stays.
func TestTakenByOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.receiving(chosen)
	w.tree()
	w.must("zfs", "set", "compression=gzip", "recordsize=64K", "a/x")
	w.snapshot("s1")
	w.done("local", "copied")
	w.must("zfs", "set", "compression=off", "com.acme:mine=here", "b/local/x")
	w.must("zfs", "inherit", "recordsize", "b/local/x")
	w.done("local", "copied")
	w.must("zfs", "set", "compression=lz4", "recordsize=32K", "com.acme:mine=there", "com.acme:new=1", "a/x")
	said := w.done("local", "copied")
	if !strings.Contains(said, `left as they were set at "b/local/x", and not taken from the sender: "com.acme:mine, compression, recordsize"`) {
		t.Errorf("it says %s", said)
	}
	again := func() {
		t.Helper()
		w.shows("b/local/x", "compression", "off local")
		w.shows("b/local/x", "recordsize", "131072 default")
		w.shows("b/local/x", "com.acme:mine", "here local")
	}
	again()
	w.shows("b/local/x", "com.acme:new", "1 local")
	if said := w.done("local", "copied"); strings.Contains(said, "left as") {
		t.Errorf("it says again %s", said)
	}
	for _, p := range []string{"compression", "recordsize", "com.acme:mine"} {
		w.must("zfs", "inherit", p, "a/x")
	}
	w.done("local", "copied")
	again()
}

// TestTakenPart: what cannot be set is that dataset's failure, each time.
func TestTakenPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.receiving(`{properties: all}`)
	w.tree()
	w.must("zfs", "set", "com.acme:a=1", "a/x")
	w.must("zfs", "set", "compression=gzip", "a/x/y")
	w.snapshot("s1")
	w.done("push", "pushed")
	w.must("zfs", "set", "com.acme:a=2", "com.acme:b=2", "reservation=3G", "a/x")
	w.must("zfs", "set", "compression=lz4", "a/x/y")
	w.must("zfs", "set", "reservation=2G", "b")
	for range 2 {
		code, said := w.ctl("push", "-skip", "snapshot,prune", "pushed")
		if code != 1 || strings.Count(said, "cannot replicate") != 1 || !strings.Contains(said, `cannot set property "reservation"`) {
			t.Errorf("exit status %d: %s", code, said)
		}
	}
	w.shows("b/push/a/x", "com.acme:a", "2 local")
	w.shows("b/push/a/x", "com.acme:b", "2 local")
	w.shows("b/push/a/x/y", "compression", "lz4 local")
	w.must("zfs", "set", "reservation=none", "a/x")
	w.done("push", "pushed")
	w.must("zfs", "inherit", "com.acme:b", "a/x")
	w.write("sim/faults", "on=inherit from=1 fail message=cannot inherit: permission denied\n")
	if code := w.tried("push", "pushed"); code != 1 {
		t.Errorf("exit status %d", code)
	}
	w.write("sim/faults", "")
	w.done("push", "pushed")
	w.shows("b/push/a/x", "com.acme:b", "- -")
}

// TestUntellable: a value with line breaks speaks for no other dataset, and
// stops nothing; what was taken of it before stays.
func TestUntellable(t *testing.T) {
	t.Parallel()
	for _, way := range threeWays {
		t.Run(way.kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.receiving(`{properties: all}`)
			w.tree()
			w.must("zfs", "set", "com.acme:a=good", "a/x")
			w.snapshot("s1")
			w.done(way.kind, way.job)
			evil := "x\tlocal\na/v\tcompression\toff\tlocal\na/x/y\tcom.acme:evil\tyes\tlocal\na/x/y\ttype\tvolume\t-\n"
			w.must("zfs", "set", "com.acme:a="+evil, "com.acme:b="+evil, "a/x")
			w.must("zfs", "set", "com.acme:b=c\rd\x1b[2J", "com.acme:c=fine", "a/x/y")
			said := w.done(way.kind, way.job)
			for _, want := range []string{`"com.acme:a" of "a/x" is left out`, `"com.acme:b" of "a/x" (and of 1 more) is left out`} {
				if strings.Count(said, want) != 1 {
					t.Errorf("%q is not once in %s", want, said)
				}
			}
			w.shows(way.root+"/x", "com.acme:a", "good local")
			w.shows(way.root+"/x/y", "com.acme:c", "fine local")
			w.shows(way.root+"/x/y", "com.acme:evil", "- -")
			w.shows(way.root+"/v", "compression", "on default")
			w.must("zfs", "set", "com.acme:a="+evil, "com.acme:b="+evil, way.root+"/x")
			w.snapshot("s2")
			w.done(way.kind, way.job)
			w.must("zfs", "set", "com.acme:a=again", "a/x")
			w.done(way.kind, way.job)
		})
	}
}

// TestHostileProperties: a push client says what it likes.
func TestHostileProperties(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.receiving(`{properties: all, exclude: [reservation, quota, sync]}`)
	w.tree()
	w.snapshot("s1")
	w.done("push", "pushed")
	w.must("zfs", "create", "b/push/admin")
	w.must("zfs", "set", "user:admin=1", "b/push/admin")
	const x = "b/push/a/x"
	state := func() string {
		return w.must("zfs", "get", "-Hp", "-r", "-o", "name,property,value,source", "-s", "local,received", "all", "b") +
			w.must("zfs", "list", "-H", "-o", "name", "-t", "all")
	}
	told := func(pairs ...string) transfer.Properties {
		p := transfer.Properties{Set: map[string]string{}, Sum: "0"}
		for i := 0; i+1 < len(pairs); i += 2 {
			p.Set[pairs[i]] = pairs[i+1]
		}
		return p
	}
	many := told()
	for i := range 257 {
		many.Set[fmt.Sprintf("many:%d", i)] = "x"
	}
	kept := map[string]string{"mountpoint": "/etc", "canmount": "on", "readonly": "off", "rdonly": "off", "RDONLY": "off", "setuid": "on", "devices": "on", "exec": "on",
		"sharenfs": "on", "sharesmb": "on", "snapdev": "visible", "volmode": "full", "zoned": "on", "jailed": "on", "encryption": "off", "keylocation": "file:///etc/passwd",
		"sync": "disabled", "reservation": "1G", "reserv": "1G", "quota": "1M", "zreplctl:placeholder": "on", "zreplctl:send": "w", "zreplctl:properties": "x",
		"-o": "x", "--help": "x", "-r:x": "y", "": "x", "a:b=c": "d", "volsize": "1G", "version": "4", "written@x": "1", "userquota@root": "1", "mlslabel": "x", "casesensitivity": "mixed"}
	var attacks []transfer.Settings
	for name, value := range kept {
		attacks = append(attacks, transfer.Settings{Dataset: x, Told: told(name, value)})
	}
	attacks = append(attacks,
		transfer.Settings{Dataset: x, Told: told("user:x", "a\nb")}, transfer.Settings{Dataset: x, Told: told("user:x", "a\x00b")},
		transfer.Settings{Dataset: x, Told: told("user:x", "a\u0085b")}, transfer.Settings{Dataset: x, Told: told("user:x", strings.Repeat("x", 9000))},
		transfer.Settings{Dataset: x, Told: many}, transfer.Settings{Dataset: "b/push/admin", Told: told("user:admin", "2")},
		transfer.Settings{Dataset: "b/push/none", Told: told("user:admin", "2")}, transfer.Settings{Dataset: "b/push", Told: told("user:admin", "2")})
	unnoted := func() string {
		var out []string
		for line := range strings.Lines(state()) {
			if !strings.Contains(line, "\tzreplctl:properties\t") {
				out = append(out, line)
			}
		}
		return strings.Join(out, "")
	}
	before := unnoted()
	h := w.attack("taking", true)
	for _, a := range attacks {
		var out transfer.Applied
		err := h.Call(t.Context(), "apply", []transfer.Settings{a}, &out)
		if refused := err != nil && strings.Contains(err.Error(), "is the root itself"); (err != nil || a.Dataset == "b/push") && !refused {
			t.Errorf("%q: %v", a, err)
		}
	}
	if after := unnoted(); before != after {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
	var out transfer.Applied
	if err := h.Call(t.Context(), "apply", []transfer.Settings{{Dataset: x, Told: told("user:x", "fine")}}, &out); err != nil || len(out.Problems) > 0 {
		t.Errorf("%v %v", out, err)
	}
	h.end()
	w.shows(x, "user:x", "fine local")
	t.Logf("%d attacks", len(attacks))
}
