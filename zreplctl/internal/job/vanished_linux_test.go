package job_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Two ways to a receiver that lets copies go whose sources are gone.
const vanishedJobs = `
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a<": ok}, snapshot_prefix: s, shared_prefix: true}
- {name: fetch, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a<": b/fetch}, recv: {vanished: {keep: 40d}}}
- {name: mirror, type: local, mapping: {"a<": b/mirror}, snapshot_prefix: s, shared_prefix: true, recv: {vanished: {keep: 40d}}}
`

var vanishedBy = [][3]string{{"pull", "fetch", "b/fetch"}, {"local", "mirror", "b/mirror"}}

// vanishes brings all copies of a tree, and destroys one source.
func vanishes(t *testing.T, kind, name string) *world {
	t.Helper()
	w := newWorld(t)
	w.configure(vanishedJobs)
	w.tree()
	w.snapshot("s1", "s2")
	w.done(kind, name)
	w.snapshot("s3")
	w.done(kind, name)
	w.loseSources("a/z")
	return w
}

// loseSources destroys sources.
func (w *world) loseSources(sources ...string) {
	w.t.Helper()
	for _, source := range sources {
		for _, name := range w.lines("zfs", "list", "-rHo", "name", source) {
			w.release(name)
		}
		w.must("zfs", "destroy", "-r", source)
	}
}

func (w *world) isThere(name string) bool {
	return w.command("zfs", "list", name).Run() == nil
}

// prunes runs a job with its pruning.
func (w *world) prunes(kind, name string) (int, string) {
	w.t.Helper()
	code, said := w.ctl(kind, "-skip", "snapshot", name)
	w.t.Logf("%d %s", code, said)
	return code, said
}

// goneFor has the note say that sources are gone for days more.
func (w *world) goneFor(name string, days int64) {
	w.t.Helper()
	file := "state/" + name + ".vanished"
	text := regexp.MustCompile(`"first":\d+`).ReplaceAllString(w.read(file), fmt.Sprintf(`"first":%d`, time.Now().Unix()-days*86400))
	text = regexp.MustCompile(`"counted":\d+`).ReplaceAllString(text, fmt.Sprintf(`"counted":%d`, days*86400))
	text = regexp.MustCompile(`"shown":\d+`).ReplaceAllString(text, `"shown":0`)
	w.write(file, regexp.MustCompile(`"warned":\d+`).ReplaceAllString(text, fmt.Sprintf(`"warned":%d`, time.Now().Unix()-days*86400)))
}

func (w *world) noted(name string) bool {
	text, _ := os.ReadFile(w.path("state/" + name + ".vanished"))
	return regexp.MustCompile(`"first":[1-9]`).Match(text) // it is counted
}

// TestVanished: a copy whose source is gone is a warning that says when it goes, and
// goes then, with a run that prunes. Nothing else goes.
func TestVanished(t *testing.T) {
	for _, by := range vanishedBy {
		t.Run(by[0], func(t *testing.T) {
			t.Parallel()
			kind, name, copied := by[0], by[1], by[2]+"/z"
			sameDay(t)
			w := vanishes(t, kind, name)
			before := w.everything()
			if code, said := w.ctl("plan", name); code != 0 || !strings.Contains(said, "vanished\t-\t"+copied+"\t") || !strings.Contains(said, "lets the copy go on ") || w.noted(name) {
				t.Errorf("plan: %d, %s", code, said)
			}
			code, said := w.prunes(kind, name)
			day := time.Now().UTC().Add(40 * 24 * time.Hour).Format(time.DateOnly)
			if code != 0 || !strings.Contains(said, fmt.Sprintf("%q on %s", copied, day)) {
				t.Errorf("%d, %s", code, said)
			}
			w.says("counting", name, "not-offered", 1, "its source is gone, and its copy goes on "+day)
			if _, said := w.ctl("status", "-json", name); !strings.Contains(said, `"goes":"`+day) {
				t.Errorf("status -json: %s", said)
			}
			w.goneFor(name, 39)
			if code, _ := w.prunes(kind, name); code != 0 || !w.isThere(copied) {
				t.Errorf("after 39 days: %d, it is there: %v", code, w.isThere(copied))
			}
			w.goneFor(name, 40)
			if code, said := w.ctl(kind, "-skip", "snapshot,prune", name); code != 0 || !w.isThere(copied) {
				t.Errorf("without pruning: %d, %s", code, said)
			}
			if code, said := w.ctl("plan", name); code != 0 || !strings.Contains(said, "lets the copy go now, with a run that prunes") || !w.isThere(copied) {
				t.Errorf("plan: %d, %s", code, said)
			}
			if code, said := w.prunes(kind, name); code != 0 || !strings.Contains(said, copied+"\tdestroyed\n") || w.isThere(copied) || w.noted(name) {
				t.Errorf("after 40 days: %d, %s", code, said)
			}
			if _, said := w.ctl("log", name); !strings.Contains(said, "these copies went") {
				t.Errorf("log: %s", said)
			}
			w.says("gone", name, "ok", 0, "")
			left := slices.DeleteFunc(before, func(line string) bool { return strings.Contains(line, copied) })
			if after := w.everything(); !slices.Equal(left, after) {
				t.Errorf("there was\n%s\nand is\n%s", strings.Join(left, "\n"), strings.Join(after, "\n"))
			}
			w.done(kind, name)
		})
	}
}

// TestVanishedStays: a copy that somebody needs or uses, or that is not the job's
// alone, stays when its time has come, and the run fails and says why.
func TestVanishedStays(t *testing.T) {
	const z = "b/mirror/z"
	for _, c := range []struct {
		name, why string
		do        func(w *world)
	}{
		{"a hold", `"b/mirror/z@s2" has the hold "mine"`, func(w *world) { w.must("zfs", "hold", "mine", z+"@s2") }},
		{"another job's hold", `has the hold "zreplctl_last_other"`, func(w *world) { w.must("zfs", "hold", "zreplctl_last_other", z+"@s3") }},
		{"a cursor", `has the hold "zreplctl_push_other"`, func(w *world) { w.must("zfs", "hold", "zreplctl_push_other", z+"@s2") }},
		{"without the job's hold", "does not have the job's hold", func(w *world) { w.must("zfs", "release", "zreplctl_last_mirror", z+"@s3") }},
		{"a bookmark", "it has the bookmark #mine", func(w *world) { w.must("zfs", "bookmark", z+"@s2", z+"#mine") }},
		{"a clone", "has the clone b/clone", func(w *world) { w.must("zfs", "clone", z+"@s2", "b/clone") }},
		{"a dataset below it", `"b/mirror/z/mine" is below it`, func(w *world) { w.must("zfs", "create", z+"/mine") }},
		{"mounted", "it is mounted", func(w *world) { w.must("zfs", "set", "mountpoint="+w.path("z"), z); w.must("zfs", "mount", z) }},
		{"activated", "it is not", func(w *world) { w.ctl("activate", z); w.command("zfs", "unmount", z).Run() }},
		{"not read-only", "it is not read-only", func(w *world) { w.must("zfs", "set", "readonly=off", z) }},
		{"not inert", "canmount is on", func(w *world) { w.must("zfs", "set", "canmount=on", z); w.command("zfs", "unmount", z).Run() }},
		{"written", "bytes were written since its newest snapshot", func(w *world) { w.used(z) }},
		{"no mark of a copy", "it is no copy that zreplctl made", func(w *world) { w.must("zfs", "inherit", "zreplctl:send", z) }},
		{"on another job's list", `is a copy of job "other", too`, func(w *world) { w.write("state/other.covered", z+"\ta/z\n@all\n") }},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			w := vanishes(t, "local", "mirror")
			w.prunes("local", "mirror")
			w.goneFor("mirror", 50)
			c.do(w)
			before := w.everything()
			if code, said := w.ctl("plan", "mirror"); code != 1 || !strings.Contains(said, c.why) {
				t.Errorf("plan: %d, %s", code, said)
			}
			for range 2 {
				if code, said := w.prunes("local", "mirror"); code != 1 || !strings.Contains(said, c.why) || !strings.Contains(said, "not-offered") {
					t.Errorf("%d, want %q: %s", code, c.why, said)
				}
			}
			if after := w.everything(); !slices.Equal(before, after) {
				t.Errorf("there was\n%s\nand is\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
			}
			w.says("stays", "mirror", "not-offered", 1, "does not let its copy go")
		})
	}
}

// TestVanishedDoubt: a list that lacks most of what there was, or a whole pool, begins
// no time and lets no copy go; nor do rules, or a source that is elsewhere.
func TestVanishedDoubt(t *testing.T) {
	for _, c := range []struct {
		name, why string
		do        func(w *world)
		counted   bool // the time that was counted stands still
	}{
		{"most of it", "more than half", func(w *world) { w.loseSources("a/x", "a/v", "a/secret") }, true},
		{"the job's rules", "rules do not map", func(w *world) {
			w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), `{"a<": b/mirror}`, `{"a<": b/mirror, "a/z": "!"}`))
		}, false},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			for _, early := range []bool{false, true} {
				w := vanishes(t, "local", "mirror")
				if early {
					w.prunes("local", "mirror")
					w.goneFor("mirror", 50)
				}
				c.do(w)
				for range 2 {
					if code, said := w.prunes("local", "mirror"); code != 1 || !strings.Contains(said, c.why) || !w.isThere("b/mirror/z") {
						t.Errorf("%v: %d, want %q: %s", early, code, c.why, said)
					}
				}
				if w.noted("mirror") != (early && c.counted) {
					t.Errorf("%v: noted: %v", early, w.noted("mirror"))
				}
			}
		})
	}
	t.Run("a pool", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.configure(strings.ReplaceAll(vanishedJobs, `{"a<": b/mirror}`, `{"a<": b/mirror, "c/data<": b/data}`))
		w.tree()
		w.write("c.img", "")
		if err := os.Truncate(w.path("c.img"), 1<<30); err != nil {
			t.Fatal(err)
		}
		w.must("zpool", "create", "-R", w.path("mnt"), "c", w.path("c.img"))
		w.must("zfs", "create", "c/data")
		w.must("zfs", "snapshot", "c/data@s1")
		w.snapshot("s1")
		w.done("local", "mirror")
		w.loseSources("c/data")
		for range 2 {
			if code, said := w.prunes("local", "mirror"); code != 1 || !strings.Contains(said, `the sender offers nothing of pool "c"`) || w.noted("mirror") {
				t.Errorf("%d, %s", code, said)
			}
		}
	})
	t.Run("renamed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.configure(vanishedJobs)
		w.tree()
		w.snapshot("s1")
		w.done("pull", "fetch")
		w.must("zfs", "rename", "a/z", "a/new")
		for range 2 {
			if code, said := w.prunes("pull", "fetch"); code != 1 || !strings.Contains(said, `its source seems to be "a/new" now`) || w.noted("fetch") {
				t.Errorf("%d, %s", code, said)
			}
		}
	})
}

// TestVanishedEnds: a source that is back and a copy that is forgotten end the time, and
// a paused job lets nothing go.
func TestVanishedEnds(t *testing.T) {
	t.Parallel()
	w := vanishes(t, "pull", "fetch")
	const z = "b/fetch/z"
	w.prunes("pull", "fetch")
	w.goneFor("fetch", 50)
	if code, said := w.ctl("pause", "fetch"); code != 0 {
		t.Fatal(said)
	}
	w.prunes("pull", "fetch")
	if !w.isThere(z) {
		t.Error("it went though the job is paused")
	}
	if code, said := w.ctl("resume", "fetch"); code != 0 {
		t.Fatal(said)
	}
	w.must("zfs", "create", "a/z")
	w.must("zfs", "snapshot", "a/z@s9")
	if code, _ := w.prunes("pull", "fetch"); code != 1 || w.noted("fetch") || !w.isThere(z) {
		t.Errorf("another source in its place: %d, noted: %v", code, w.noted("fetch"))
	}
	w.loseSources("a/z")
	if code, _ := w.prunes("pull", "fetch"); code != 0 || !w.noted("fetch") || !w.isThere(z) {
		t.Errorf("gone again: %d, noted: %v", code, w.noted("fetch"))
	}
	if code, said := w.ctl("forget", "fetch", z); code != 0 || w.noted("fetch") {
		t.Errorf("forget: %d, %s", code, said)
	}
	w.says("forgotten", "fetch", "ok", 0, "")
	if code, _ := w.prunes("pull", "fetch"); code != 0 || w.noted("fetch") || !w.isThere(z) {
		t.Errorf("forgotten: %d", code)
	}
}

// TestVanishedKilled: a run that is killed between any two steps leaves what the next
// run finishes.
func TestVanishedKilled(t *testing.T) {
	for _, fault := range []string{
		"on=destroy n=1 kill=before", "on=destroy n=1 kill=after", "on=release n=1 kill=before", "on=release n=1 kill=after",
		"on=destroy n=2 kill=before", "on=destroy n=2 kill=after", "on=destroy n=3 kill=before", "on=destroy n=3 kill=after",
	} {
		t.Run(strings.ReplaceAll(fault, " ", "_"), func(t *testing.T) {
			t.Parallel()
			w := vanishes(t, "local", "mirror")
			w.prunes("local", "mirror")
			before := w.everything()
			w.goneFor("mirror", 50)
			c := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot", "mirror")
			c.Env = append(c.Env, "ZFS_SIM_FAULTS="+fault)
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if out, err := c.CombinedOutput(); err == nil {
				t.Fatalf("it was not killed: %s", out)
			}
			if code, said := w.prunes("local", "mirror"); code != 0 || w.isThere("b/mirror/z") || w.noted("mirror") {
				t.Errorf("%d, there: %v, noted: %v: %s", code, w.isThere("b/mirror/z"), w.noted("mirror"), said)
			}
			left := slices.DeleteFunc(before, func(line string) bool { return strings.Contains(line, "b/mirror/z") })
			if after := w.everything(); !slices.Equal(left, after) {
				t.Errorf("there was\n%s\nand is\n%s", strings.Join(left, "\n"), strings.Join(after, "\n"))
			}
			w.says("killed", "mirror", "ok", 0, "")
		})
	}
}

// TestVanishedTree: of a tree each copy goes that is due, those below first.
func TestVanishedTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(vanishedJobs)
	w.tree()
	w.must("zfs", "create", "a/x/y/deep")
	w.must("zfs", "create", "a/more")
	w.snapshot("s1")
	w.done("local", "mirror")
	w.loseSources("a/x")
	w.prunes("local", "mirror")
	w.goneFor("mirror", 50)
	code, said := w.prunes("local", "mirror")
	if code != 0 || w.isThere("b/mirror/x") || !w.isThere("b/mirror/more") || !w.isThere("b/mirror/v") {
		t.Errorf("%d, %s", code, said)
	}
	var gone []string
	for line := range strings.Lines(said) {
		if name, ok := strings.CutSuffix(line, "\tdestroyed\n"); ok {
			gone = append(gone, name)
		}
	}
	if !slices.IsSortedFunc(gone, func(a, b string) int { // each before what is above it
		if dataset.Within(b, a) && a != b {
			return 1
		}
		return 0
	}) || len(gone) != 3 {
		t.Errorf("%q", gone)
	}
}

// TestVanishedUntold: if it cannot be told that a copy went, no other goes.
func TestVanishedUntold(t *testing.T) {
	t.Parallel()
	w := vanishes(t, "local", "mirror")
	w.loseSources("a/v")
	w.prunes("local", "mirror")
	w.goneFor("mirror", 50)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	c := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot", "mirror")
	c.Stdout = full
	if err := c.Run(); err == nil || w.isThere("b/mirror/z") == w.isThere("b/mirror/v") {
		t.Errorf("%v, z is there: %v, v: %v", err, w.isThere("b/mirror/z"), w.isThere("b/mirror/v"))
	}
}
