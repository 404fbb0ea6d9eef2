package job_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// extend adds jobs to the configuration.
func (w *world) extend(more string) {
	w.write("c.yml", strings.ReplaceAll(jobs+more, "DIR", w.dir))
}

// pool makes one more pool.
func (w *world) pool(name string, flags ...string) {
	w.t.Helper()
	w.write(name+".img", "")
	if err := os.Truncate(w.path(name+".img"), 4<<30); err != nil {
		w.t.Fatal(err)
	}
	w.must(append(append([]string{"zpool", "create"}, flags...), name, w.path(name+".img"))...)
}

// encrypted makes an encrypted dataset whose key is loaded.
func (w *world) encrypted(ds string) {
	w.t.Helper()
	w.write("key", "a passphrase\n")
	w.must("zfs", "create", "-o", "encryption=on", "-o", "keyformat=passphrase", "-o", "keylocation=file://"+w.path("key"), ds)
}

// planned returns what plan says of a dataset: the first field, and the last.
func (w *world) planned(job, source string) (kind, reason string) {
	w.t.Helper()
	_, said := w.ctl("plan", job)
	for line := range strings.Lines(said) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 6 && f[1] == source {
			return f[0], f[5]
		}
	}
	w.t.Errorf("plan of %s says nothing of %s: %s", job, source, said)
	return "", ""
}

const takeJobs = `
- {name: old, type: local, snapshot_prefix: s, mapping: {"a<": old/a, "a/v": "!"}}
- {name: oldc, type: local, snapshot_prefix: s, mapping: {"a<": oldc/a, "a/v": "!"}, send: {compressed: true}}
- {name: olde, type: local, snapshot_prefix: s, mapping: {"a/x": olde/x}, send: {embedded: true}}
- {name: older, type: local, snapshot_prefix: s, mapping: {"a/x": older/x}}
- {name: sink3, type: push-sink, serve: {type: stdinserver, client_identity: p3}, root: old/sink}
- {name: push3, type: push, snapshot_prefix: s, datasets: {"a/secret": ok, "a/x": ok},
   connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, p3]}}
`

// TestFeatures sends to pools that lack what some streams need: just those
// are refused, before anything is sent, with the feature's name.
func TestFeatures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(takeJobs)
	for _, ds := range []string{"a/x", "a/big"} {
		w.must("zfs", "create", ds)
	}
	w.must("zfs", "set", "recordsize=1M", "a/big")
	w.fill("a/big", 2<<20)
	w.fill("a/x", 2<<20)
	w.encrypted("a/secret")
	w.snapshot("s1")
	w.pool("old", "-d", "-o", "feature@extensible_dataset=enabled", "-o", "feature@lz4_compress=enabled", "-o", "feature@embedded_data=enabled")
	w.pool("oldc", "-d", "-o", "feature@extensible_dataset=enabled")
	w.pool("olde", "-d", "-o", "feature@extensible_dataset=enabled", "-o", "feature@lz4_compress=enabled")
	w.pool("older", "-d")
	for _, test := range []struct{ job, source, kind, words string }{
		{"old", "a/x", "full", ""},
		{"old", "a/secret", "feature-missing", `"old"|feature@encryption|options wL`},
		{"old", "a/big", "feature-missing", "feature@large_blocks"},
		{"oldc", "a/x", "feature-missing", "feature@lz4_compress|options Lc"},
		{"olde", "a/x", "feature-missing", "feature@embedded_data"},
		{"older", "a/x", "feature-missing", "feature@extensible_dataset"},
		{"push3", "a/x", "full", ""},
		{"push3", "a/secret", "feature-missing", "feature@encryption"},
		{"mirror", "a/x", "full", ""},
	} {
		kind, reason := w.planned(test.job, test.source)
		if kind != test.kind {
			t.Errorf("%s of %s: %s, not %s: %s", test.job, test.source, kind, test.kind, reason)
		}
		for word := range strings.SplitSeq(test.words, "|") {
			if !strings.Contains(reason, word) {
				t.Errorf("%s of %s: %q does not say %q", test.job, test.source, reason, word)
			}
		}
	}
	w.write("sim/log", "")
	code, said := w.ctl("local", "-skip", "snapshot,prune", "old")
	if code != 1 || strings.Count(said, "feature-missing") != 2 || !strings.Contains(said, "hint: ") || strings.Contains(said, "upgraded") {
		t.Errorf("exit status %d: %s", code, said)
	}
	if sent := len(w.logged("send")); sent != 2 {
		t.Errorf("%d streams, not those of a and a/x", sent)
	}
	w.same("a/x", "old/a/x")
	// A chain that was begun goes on, whatever the properties say by now.
	w.must("zfs", "set", "recordsize=1M", "a/x")
	w.snapshot("s2")
	if kind, reason := w.planned("old", "a/x"); kind != "incremental" {
		t.Errorf("%s: %s", kind, reason)
	}
	// What the simulator says where nobody looks before, as ZFS does.
	c := w.command("sh", "-c", "zfs send -w a/secret@s1 | zfs receive -s -u old/raw")
	c.Args[0], c.Path = "sh", "/bin/sh"
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "pool must be upgraded to receive this stream") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestFeaturesUnknown replicates where the features cannot be asked for.
func TestFeaturesUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	alone := filepath.Join(w.dir, "alone")
	if err := os.Mkdir(alone, 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("alone/zfs", "#!/bin/sh\nexec "+bin+"/zfs \"$@\"\n")
	w.write("alone/zpool", "#!/bin/sh\necho no >&2; exit 1\n")
	for _, name := range []string{"zfs", "zpool"} {
		if err := os.Chmod(filepath.Join(alone, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot,prune", "mirror")
	c.Env = append(c.Env, "ZREPL_ZFS="+alone+"/zfs")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	w.same("a/x", "b/mirror/x")
}

const keyJobs = `
- {name: in, type: local, snapshot_prefix: s, mapping: {"a/x<": b/enc/x, "a/secret": b/enc/secret, "a/z": b/z}}
- {name: sinkk, type: push-sink, serve: {type: stdinserver, client_identity: pk}, root: b/enc/sink}
- {name: pushk, type: push, snapshot_prefix: s, datasets: {"a/x<": ok}, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, pk]}}
`

// TestKeyNotLoaded sends below an encrypted dataset whose key is not there:
// what would come plain is refused in planning, what comes raw goes on.
func TestKeyNotLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(keyJobs)
	w.tree()
	w.must("zfs", "destroy", "a/secret")
	w.encrypted("a/secret")
	w.encrypted("b/enc")
	w.must("zfs", "create", "b/enc/sink")
	w.must("zfs", "create", "b/enc/sink/a")
	w.snapshot("s1")
	w.must("zfs", "unmount", "-a")
	w.must("zfs", "unload-key", "-r", "b/enc")
	check := func(job, source, kind, words string) {
		t.Helper()
		got, reason := w.planned(job, source)
		if got != kind || !strings.Contains(reason, words) {
			t.Errorf("%s of %s: %s, not %s: %s", job, source, got, kind, reason)
		}
	}
	check("in", "a/x", "key-not-loaded", `the key of "b/enc" is not loaded`)
	check("in", "a/x/y", "parent-failed", "")
	check("in", "a/secret", "full", "")
	check("in", "a/z", "full", "")
	check("pushk", "a/x", "key-not-loaded", `"b/enc/sink/a"`)
	w.write("sim/log", "")
	code, said := w.ctl("local", "-skip", "snapshot,prune", "in")
	if code != 1 || !strings.Contains(said, "key-not-loaded") || !strings.Contains(said, "hint: load the key on the receiver (zfs load-key), or ") {
		t.Errorf("exit status %d: %s", code, said)
	}
	if got := w.logged("send"); len(got) != 2 {
		t.Errorf("sent %q", got)
	}
	w.same("a/z", "b/z")
	w.same("a/secret", "b/enc/secret")
	w.must("zfs", "load-key", "-L", "file://"+w.path("key"), "b/enc")
	w.done("local", "in")
	w.same("a/x", "b/enc/x")
	w.snapshot("s2")
	w.must("zfs", "unload-key", "b/enc")
	check("in", "a/x", "key-not-loaded", "the key of the target is not loaded")
	check("in", "a/secret", "incremental", "")
	check("in", "a/x/y", "key-not-loaded", "")
}
