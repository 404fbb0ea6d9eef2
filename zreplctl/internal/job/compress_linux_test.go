package job_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// compressJobs are a pull and a push with compress: PACK, whose servers have
// compress: ALLOW. Their servers run with the programs of SERVERS alone.
const compressJobs = `
- {name: far, type: source, serve: {type: stdinserver, client_identity: far}, datasets: {"a/x<": ok}, snapshot_prefix: s, shared_prefix: true, send: SEND, OFFER}
- {name: near, type: pull, connect: {type: exec, command: [env, "PATH=SERVERS", BIN/zreplctl, -config, DIR/c.yml, serve, far]}, mapping: {"a/x<": b/near}, compress: PACK}
- {name: away, type: push-sink, serve: {type: stdinserver, client_identity: away}, root: b/away, ALLOW}
- {name: out, type: push, connect: {type: exec, command: [env, "PATH=SERVERS", BIN/zreplctl, -config, DIR/c.yml, serve, away]}, datasets: {"a/x<": ok}, snapshot_prefix: s, shared_prefix: true, send: SEND, compress: PACK}
`

// compressing is a world with these jobs. Its zstd is zstd-sim.
type compressing struct {
	*world
	pack, offer, allow, send string
	bare                     bool // the servers have no zstd
}

func newCompressing(t *testing.T) *compressing {
	t.Helper()
	c := &compressing{world: newWorld(t), pack: "zstd", offer: "", allow: "compress: zstd", send: "{large_blocks: true}"}
	if err := os.Mkdir(c.path("tools"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(bin, "zstd-sim"), c.path("tools/zstd")); err != nil {
		t.Fatal(err)
	}
	c.env = []string{"PATH=" + c.path("tools") + ":" + bin + ":/usr/bin:/bin"}
	c.must("zfs", "create", "a/x")
	c.zeros(4 << 20)
	c.must("zfs", "create", "a/x/kid") // so that one framer moves several streams
	c.must("zfs", "create", "a/x/kid2")
	c.snapshot("s1")
	return c
}

// zeros writes what zstd-sim can make smaller.
func (c *compressing) zeros(n int) {
	c.t.Helper()
	dir := strings.TrimSpace(c.must("zfs", "get", "-H", "-o", "value", "mountpoint", "a/x"))
	data := bytes.Repeat([]byte("z"), n)
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("z%d", time.Now().UnixNano())), data, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *compressing) set() {
	servers := c.path("tools") + ":" + bin
	if c.bare {
		servers = bin
	}
	const none = "checksum: none" // as by default
	c.extend(strings.NewReplacer("SERVERS", servers, "BIN", bin, "PACK", c.pack, "OFFER", cmp.Or(c.offer, none), "ALLOW", cmp.Or(c.allow, none),
		"SEND", c.send).Replace(compressJobs))
}

// gain is what the record of a job says.
func (c *compressing) gain(job string) (bytes uint64, saved int64) {
	c.t.Helper()
	var status struct {
		Jobs []struct {
			Name     string
			Progress struct {
				Bytes uint64
				Saved int64
			}
		}
	}
	_, text := c.ctl("status", "-json", job)
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		c.t.Fatalf("%v: %s", err, text)
	}
	for _, j := range status.Jobs {
		if j.Name == job {
			return j.Progress.Bytes, j.Progress.Saved
		}
	}
	c.t.Fatalf("no job %s: %s", job, text)
	return 0, 0
}

// ways are the two ways over a connection: command, job and copy.
var ways = [][3]string{{"pull", "near", "b/near"}, {"push", "out", "b/away/a/x"}}

// TestCompress: streams are compressed if both ends have zstd and agree, and
// plain otherwise, which is said once.
func TestCompress(t *testing.T) {
	t.Parallel()
	const refused = "warning: streams are not compressed: the other host"
	for name, c := range map[string]struct {
		change         func(*compressing)
		pulled, pushed bool // are compressed
		says           string
	}{
		"both":              {func(c *compressing) {}, true, true, ""},
		"not asked for":     {func(c *compressing) { c.pack = "off" }, false, false, ""},
		"by default":        {func(c *compressing) { c.allow = "" }, true, false, refused},
		"source refuses":    {func(c *compressing) { c.offer = "compress: off" }, false, true, refused},
		"no zstd there":     {func(c *compressing) { c.bare = true }, false, false, refused},
		"no zstd here":      {func(c *compressing) { c.env = []string{"PATH=" + bin + ":" + c.path("none")} }, false, false, "this host has no zstd"},
		"compressed blocks": {func(c *compressing) { c.send = "{compressed: true}" }, false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newCompressing(t)
			c.change(w)
			w.set()
			if name == "no zstd here" { // env is not there either
				w.replace("[env, ", "[/usr/bin/env, ")
				w.replace("[env, ", "[/usr/bin/env, ")
			}
			for i, way := range ways {
				packed := []bool{c.pulled, c.pushed}[i]
				said := w.done(way[0], way[1])
				w.same("a/x", way[2])
				want := 0
				if c.says != "" && !packed {
					want = 1
				}
				if n := strings.Count(said, cmp.Or(c.says, refused)); n != want {
					t.Errorf("%s says %d times, not %d, %q: %s", way[1], n, want, c.says, said)
				}
				if strings.Contains(said, "again") {
					t.Errorf("%s: a stream was tried twice: %s", way[1], said)
				}
				moved, saved := w.gain(way[1])
				if packed != (saved > 3<<20) || moved < 4<<20 || !packed && saved != 0 {
					t.Errorf("%s: moved %d, saved %d, and compressed is to be %v", way[1], moved, saved, packed)
				}
			}
		})
	}
}

// TestCompressRaw: an encrypted dataset goes as it is.
func TestCompressRaw(t *testing.T) {
	t.Parallel()
	w := newCompressing(t)
	w.must("zfs", "destroy", "-r", "a/x")
	w.underKey("a/x")
	w.zeros(4 << 20)
	w.snapshot("s2")
	w.set()
	for _, way := range ways {
		w.done(way[0], way[1])
		w.same("a/x", way[2])
		if _, saved := w.gain(way[1]); saved != 0 {
			t.Errorf("%s: %d bytes saved of a raw stream", way[1], saved)
		}
	}
}

// TestCompressKilled: zstd is killed at either end in the middle of a stream.
// The run fails, nothing is left, and the next one resumes and completes.
func TestCompressKilled(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		for _, victim := range []string{" -c ", " -d "} {
			t.Run(way[0]+victim, func(t *testing.T) {
				t.Parallel()
				w := newCompressing(t)
				w.fill("a/x", 24<<20) // it lasts until zstd is found and killed
				w.snapshot("s2")
				w.set()
				w.write("sim/faults", "on=send match=a/x@s2 rate=2000000\n")
				run := w.command("zreplctl", "-config", w.path("c.yml"), way[0], "-retries", "0", "-skip", "prune,snapshot", way[1])
				var said bytes.Buffer
				run.Stderr, run.Stdout = &said, &said
				if err := run.Start(); err != nil {
					t.Fatal(err)
				}
				w.find("zfs", " send ", "a/x@s2")
				pid := w.find("zstd", victim)
				w.find("zfs", " receive ", way[2])
				time.Sleep(3 * time.Second) // some of the stream is on its way
				syscall.Kill(pid, syscall.SIGKILL)
				run.Wait()
				w.gone()
				if code := run.ProcessState.ExitCode(); code == 0 || !strings.Contains(said.String(), "killed by SIGKILL") {
					t.Errorf("exit status %d: %s", code, &said)
				}
				t.Logf("%d: %s", run.ProcessState.ExitCode(), &said)
				token := w.token(way[2])
				if token == "-" {
					t.Error("nothing is left to resume")
				}
				w.write("sim/faults", "")
				w.write("sim/log", "")
				w.done(way[0], way[1])
				w.has(way[2], "s2")
				w.sameGUID("a/x@s2", way[2]+"@s2")
				if log := w.read("sim/log"); !strings.Contains(log, " -t 1-") {
					t.Errorf("not resumed: %s", log)
				}
			})
		}
	}
}

// behaves begins a zstd that works when it is tried, before it is used.
const behaves = `#!/bin/sh
case "$*" in *-d*) exec zstd-sim "$@";; esac
begin="$0.$$"
dd bs=1 count=11 of="$begin" 2>/dev/null
if [ "$(tr -d '\000' <"$begin")" = "a few bytes" ]; then exec zstd-sim <"$begin"; fi
`

// TestCompressHostile: whatever the sending host calls compressed, the stream
// fails, nothing is left running or received, and the next run is well.
func TestCompressHostile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ script, says string }{
		"garbage":        {"exec cat", "bad stream: the data is not compressed by zstd"},
		"another stream": {"cat >/dev/null; echo hello | zstd-sim", "the stream is refused"},
		"a half":         {`{ cat "$begin"; head -c 1000000; } | zstd-sim`, "zstd ended before the stream did"},
		"a header":       {`cat >/dev/null; printf '\050\265\057\375'`, "ends too early"},
		"nothing":        {"cat >/dev/null", "it ends before all was seen"},
		"a bomb":         {`cat >/dev/null; head -c 100000000 /dev/zero | zstd-sim`, "it is not a stream of zfs send"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newCompressing(t)
			if err := os.Mkdir(w.path("evil"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := simhost.WriteProgram(w.path("evil/zstd"), behaves+c.script+"\n"); err != nil {
				t.Fatal(err)
			}
			w.set()
			good := w.read("c.yml")
			near := `[env, "PATH=` + w.path("tools") + ":" + bin
			w.write("c.yml", strings.Replace(good, near, `[env, "PATH=`+w.path("evil")+":"+bin+":/usr/bin:/bin", 1))
			code, said := w.ctl("pull", "-retries", "0", "-skip", "prune", "near")
			if code == 0 || !strings.Contains(said, c.says) {
				t.Errorf("pull: exit status %d, not %q: %s", code, c.says, said)
			}
			w.write("c.yml", good)
			honest := w.env
			w.env = []string{"PATH=" + w.path("evil") + ":" + bin + ":/usr/bin:/bin"}
			code, said = w.ctl("push", "-retries", "0", "-skip", "prune,snapshot", "out")
			if code == 0 {
				t.Errorf("push: exit status %d, not %q: %s", code, c.says, said)
			}
			w.env = honest
			w.gone()
			for _, way := range ways {
				if out, err := w.command("zfs", "list", "-H", "-t", "snapshot", way[2]+"@s1").CombinedOutput(); err == nil {
					t.Errorf("%s", out)
				}
				w.done(way[0], way[1])
				w.same("a/x", way[2])
			}
		})
	}
}

// TestCompressCheck: what check says of a configuration.
func TestCompressCheck(t *testing.T) {
	t.Parallel()
	w := newCompressing(t)
	for _, c := range []struct{ pack, send, more, says string }{
		{"zstd", "{compressed: true}", "", "compress: it does nothing: send: {compressed: true}"},
		{"zstd-22", "{}", "", `"zstd-22" is not off, zstd, or zstd-LEVEL with a level from 1 to 19`},
		{"zstd-9", "{}", "", `the host that sends chooses the level`},
		{"gzip", "{}", "", `"gzip" is not off, zstd`},
		{"zstd", "{}", "- {name: loc, type: local, mapping: {\"a/x\": b/loc}, compress: zstd}\n", `a local job has no key "compress"`},
	} {
		w.pack, w.send = c.pack, c.send
		w.set()
		text, _ := os.ReadFile(w.path("c.yml"))
		w.write("c.yml", string(text)+c.more)
		if _, said := w.ctl("check"); !strings.Contains(said, c.says) {
			t.Errorf("check does not say %q: %s", c.says, said)
		}
	}
	const lacks = `compress: streams are not compressed: this host has no zstd`
	w.pack, w.send = "zstd", "{}"
	w.set()
	if _, said := w.ctl("check"); strings.Contains(said, lacks) {
		t.Errorf("check: %s", said)
	}
	w.env = []string{"PATH=" + bin}
	if _, said := w.ctl("check"); strings.Count(said, lacks) != 3 { // of near, away and out; far does not say it
		t.Errorf("check without zstd: %s", said)
	}
}
