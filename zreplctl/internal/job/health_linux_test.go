package job_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const twoEnds = `
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- name: offer
  type: source
  serve: {type: stdinserver, client_identity: me}
  datasets: {"a/x<": ok}
  snapshot_prefix: s
- name: fetch
  type: pull
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}
  mapping: {"a/x<": b/back/x}
- name: mirror
  type: local
  mapping: {"a/m<": b/mirror/m}
  snapshot_prefix: s
`

// ends is a world with a source that is pulled from, and a local job.
func ends(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.configure(twoEnds)
	for _, ds := range []string{"a/x", "a/x/y", "a/m"} {
		w.must("zfs", "create", ds)
	}
	return w
}

// taken takes snapshots so long ago.
func (w *world) taken(age time.Duration, name string) {
	w.t.Helper()
	for _, root := range []string{"a/x", "a/m"} {
		c := w.command("zfs", "snapshot", "-r", root+"@"+name)
		c.Env = append(c.Env, "ZFS_SIM_NOW="+strconv.FormatInt(time.Now().Add(-age).Unix(), 10))
		if out, err := c.CombinedOutput(); err != nil {
			w.t.Fatalf("%v: %s", err, out)
		}
	}
}

// copied brings all copies up to date.
func (w *world) copied() {
	w.t.Helper()
	w.done("pull", "fetch")
	w.done("local", "mirror")
}

type seenJob struct {
	Name, State, Why string
	Level            int
	Age              *int64
	Datasets         []struct {
		Source, Target, Client, State, Why, Snapshot, GUID string
		Age                                                *int64
	}
}

// health is what status says of a job.
func (w *world) health(name string) (j seenJob) {
	w.t.Helper()
	code, said := w.ctl("status", "-json", name)
	var s struct{ Health struct{ Jobs []seenJob } }
	if err := json.Unmarshal([]byte(said), &s); err != nil || code != 0 || len(s.Health.Jobs) != 1 {
		w.t.Fatalf("status %s: %d, %v: %s", name, code, err, said)
	}
	return s.Health.Jobs[0]
}

// says checks that every face says the same of a job.
func (w *world) says(what, name, state string, level int, why string) {
	w.t.Helper()
	j := w.health(name)
	if j.State != state || j.Level != level || !strings.Contains(j.Why, why) {
		w.t.Errorf("%s: %s is %s, level %d, %q; want %s, %d, %q", what, name, j.State, j.Level, j.Why, state, level, why)
	}
	w.t.Logf("%s\t%s\t%s\t%d\t%s", what, name, j.State, j.Level, j.Why)
	if code, line := w.ctl("monitor", name); code != level || why != "" && !strings.Contains(line, why) {
		w.t.Errorf("%s: monitor %s: %d, %s", what, name, code, line)
	}
	if _, text := w.ctl("status", name); !strings.Contains(text, name+"\tjob\t") || !strings.Contains(text, "\t"+state+"\t") {
		w.t.Errorf("%s: status %s: %s", what, name, text)
	}
	kind := map[string]string{"offer": "source", "fetch": "pull", "mirror": "local", "plain": "local", "send": "push", "take": "push-sink"}[name]
	label := fmt.Sprintf(`backup_job=%q,type=%q`, name, kind)
	for _, line := range []string{fmt.Sprintf("zreplctl_job_state{%s,state=%q} 1\n", label, state), fmt.Sprintf("zreplctl_job_level{%s} %d\n", label, level)} {
		if code, text := w.ctl("metrics"); code != 0 || !strings.Contains(text, line) {
			w.t.Errorf("%s: metrics: %d, no %s in %s", what, code, line, text)
		}
	}
	if code, text := w.ctl("report"); code != 0 || !strings.Contains(text, fmt.Sprintf(`">%s</span> %s <span`, state, name)) {
		w.t.Errorf("%s: report: %d, %s is not %s", what, code, name, state)
	}
}

const months = 150 * 24 * time.Hour

// TestHealthAges: the age is that of what ZFS proves, on both ends, however
// little else is known.
func TestHealthAges(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.says("before anything", "fetch", "never", 2, "there is no copy")
	w.says("before anything", "offer", "never", 2, "there is no copy")
	w.taken(months, "s1")
	w.copied()
	for _, name := range []string{"offer", "fetch", "mirror"} {
		w.says("a source without new snapshots", name, "late", 2, "5 months old")
	}
	w.taken(0, "s2")
	w.says("the link is down", "fetch", "late", 2, "5 months old")
	w.says("nobody pulls", "offer", "late", 2, "for me: the copy is 5 months old")
	w.says("it does not run", "mirror", "late", 2, "5 months old")
	os.RemoveAll(w.path("run"))
	os.RemoveAll(w.path("state"))
	for _, name := range []string{"offer", "fetch", "mirror"} {
		w.says("after a boot, statedir lost", name, "late", 2, "5 months old")
	}
	w.copied()
	for _, name := range []string{"offer", "fetch", "mirror"} {
		w.says("all is well", name, "ok", 0, "")
	}
	os.RemoveAll(w.path("state"))
	for _, name := range []string{"fetch", "mirror"} {
		w.says("well, statedir lost", name, "ok", 0, "")
	}
	w.says("well, statedir lost", "offer", "late", 3, "will be known after the client's next run")
	w.done("pull", "fetch")
	w.says("well, statedir lost, a run with nothing to do", "offer", "ok", 0, "")
	j := w.health("fetch")
	if want := w.lines("zfs", "list", "-Hp", "-o", "guid", "b/back/x@s2"); len(j.Datasets) != 2 || j.Datasets[0].GUID != want[0] || j.Datasets[0].Snapshot != "s2" {
		t.Errorf("%+v, want guid %s", j.Datasets, want)
	}
}

// TestHealthGone: what was covered once is missed by both ends, until a person
// says otherwise.
func TestHealthGone(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.taken(time.Hour, "s1")
	w.copied()
	w.configure(strings.NewReplacer(`{"a/x<": ok}`, `{"a/x<": ok, "a/x/y": "!"}`).Replace(twoEnds))
	w.says("excluded on the source", "offer", "not-offered", 1, "a/x/y for me: it was sent once, and the job's rules leave it out now")
	w.tried("pull", "fetch")
	w.says("excluded on the source, and tried", "fetch", "not-offered", 1, "a/x/y: not-offered")
	os.RemoveAll(w.path("state/fetch.json"))
	w.configure(twoEnds)
	w.done("pull", "fetch")
	w.says("offered again", "offer", "ok", 0, "")
	w.must("zfs", "release", "zreplctl_source_me", "a/x/y@s1")
	w.must("zfs", "destroy", "-r", "a/x/y")
	w.says("destroyed on the source", "offer", "not-offered", 2, "a/x/y for me: it was sent once, and does not exist now")
	w.tried("pull", "fetch")
	w.says("destroyed on the source, and tried", "fetch", "not-offered", 1, "not-offered")
	if code, said := w.ctl("forget", "fetch", "b/back/x/y"); code != 0 {
		t.Fatal(said)
	}
	if code, said := w.ctl("forget", "offer", "a/x/y"); code != 0 {
		t.Fatal(said)
	}
	w.done("pull", "fetch")
	w.says("forgotten", "fetch", "ok", 0, "")
	w.says("forgotten", "offer", "ok", 0, "")
	w.configure(strings.NewReplacer(`{"a/x<": ok}`, `{"a/x": ok, "a/x/z<": ok}`).Replace(twoEnds))
	w.must("zfs", "create", "a/x/z")
	w.taken(0, "s2")
	w.done("pull", "fetch")
	w.configure(strings.NewReplacer(`{"a/x<": ok}`, `{"a/x": ok}`).Replace(twoEnds))
	os.RemoveAll(w.path("state"))
	w.tried("pull", "fetch") // its cursor becomes a bookmark
	w.says("excluded on the source, and statedir lost", "offer", "not-offered", 1, "leave it out now")
	if code, said := w.ctl("forget", "offer", "a/x"); code != 1 || !strings.Contains(said, "still offers") {
		t.Errorf("%d, %s", code, said)
	}
	if code, said := w.ctl("forget", "offer", "a/x/z"); code != 0 || !strings.Contains(said, "a/x/z#zreplctl_source_me_") {
		t.Errorf("%d, %s", code, said)
	}
	w.says("excluded on the source, and forgotten", "offer", "ok", 0, "")
}

// TestHealthExcluded: a copy that the receiver's own rules leave out is here, and
// once a person has forgotten it nobody misses it, before any further run.
func TestHealthExcluded(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]string{"fetch": "pull", "mirror": "local"} {
		w := ends(t)
		for _, ds := range []string{"a/x/z", "a/m/y", "a/m/z"} {
			w.must("zfs", "create", ds)
		}
		w.taken(time.Hour, "s1")
		w.copied()
		copies := map[string]string{"fetch": "b/back/x", "mirror": "b/mirror/m"}[name]
		w.configure(strings.NewReplacer(`{"a/x<": b/back/x}`, `{"a/x<": b/back/x, "a/x/y<": "!", "a/x/z<": "!"}`,
			`{"a/m<": b/mirror/m}`, `{"a/m<": b/mirror/m, "a/m/y<": "!", "a/m/z<": "!"}`).Replace(twoEnds))
		w.tried(kind, name)
		w.says("excluded here", name, "not-offered", 1, "the job's rules or its select leave it out")
		record := w.path("state/" + name + ".json")
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(record)
		w.says("excluded here, without a record", name, "not-offered", 1, "/y: it was received once, and the job's rules leave it out now")
		if err := os.WriteFile(record, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, said := w.ctl("forget", name, copies+"/y"); code != 0 {
			t.Fatal(said)
		}
		w.says("one is forgotten", name, "not-offered", 1, copies+"/z")
		if j := w.health(name); strings.Contains(j.Why, copies+"/y") {
			t.Errorf("one is forgotten: %s", j.Why)
		}
		if code, said := w.ctl("forget", name, copies+"/z"); code != 0 {
			t.Fatal(said)
		}
		w.says("both are forgotten", name, "ok", 0, "")
		w.done(kind, name)
		w.says("both are forgotten, and it ran", name, "ok", 0, "")
	}
}

// TestHealthNew: a new dataset has the time until the job's warn age to get its
// first copy, on both ends. Then it is missed.
func TestHealthNew(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.taken(time.Hour, "s1")
	w.copied()
	for _, ds := range []string{"a/x/new", "a/m/new"} {
		w.must("zfs", "create", ds)
	}
	all := []string{"offer", "fetch", "mirror"}
	well := func(what string) {
		for _, name := range all {
			w.says(what, name, "ok", 0, "")
		}
	}
	well("just created")
	w.copied()
	well("tried without a snapshot")
	if _, text := w.ctl("status", "-v", "offer"); !strings.Contains(text, "a/x/new for me\tnever\tno age") || !strings.Contains(text, "there is no copy of it, and no snapshot yet: it is ") {
		t.Error(text)
	}
	first := w.read("state/fetch.json")
	w.copied()
	since := regexp.MustCompile(`"since":"[^"]*"`)
	if was, is := since.FindString(first), since.FindString(w.read("state/fetch.json")); was == "" || was != is {
		t.Errorf("first seen %s, and after another run %s", was, is)
	}
	before := time.Now().Add(-30 * time.Hour)
	w.write("state/fetch.json", since.ReplaceAllString(first, `"since":"`+before.UTC().Format(time.RFC3339)+`"`))
	for _, ds := range []string{"a/x/new", "a/m/new"} {
		w.must("zfs", "destroy", ds)
		c := w.command("zfs", "create", ds)
		c.Env = append(c.Env, "ZFS_SIM_NOW="+strconv.FormatInt(before.Unix(), 10))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, name := range all {
		w.says("created a day ago", name, "never", 2, "/new")
	}
}

// TestHealthPools: a pool that is not imported is no absence of problems.
func TestHealthPools(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.taken(time.Hour, "s1")
	w.copied()
	w.must("zpool", "export", "b")
	w.says("target pool not imported", "fetch", "failed", 2, "its pool is not imported")
	w.says("target pool not imported", "mirror", "failed", 2, "its pool is not imported")
	w.must("zpool", "import", "-d", w.dir, "b")
	w.must("zpool", "export", "a")
	w.says("source pool not imported", "offer", "failed", 2, "its pool is not imported")
	w.says("source pool not imported", "mirror", "failed", 2, "its pool is not imported")
	os.RemoveAll(w.path("state"))
	w.says("source pool not imported, statedir lost", "offer", "failed", 2, "its pool is not imported")
}

// TestHealthRuns: what the runs say, and what was not said because they were
// killed.
func TestHealthRuns(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.taken(time.Hour, "s1")
	w.copied()
	w.configure(strings.ReplaceAll(twoEnds, "serve, me]", "no-subcommand]"))
	w.tried("pull", "fetch")
	w.says("the client's key was removed a moment ago", "fetch", "failed", 1, "")
	w.configure(twoEnds)
	w.must("zfs", "set", "readonly=off", "b/back/x")
	w.must("zfs", "set", "mountpoint=/bx", "b/back/x")
	w.must("zfs", "mount", "b/back/x")
	w.fill("b/back/x", 1<<20)
	w.must("zfs", "unmount", "b/back/x")
	w.taken(0, "s2")
	w.tried("pull", "fetch")
	w.says("target modified", "fetch", "failed", 1, "modified")
	w.says("target modified", "offer", "ok", 0, "")
	w.fill("a/m", 8<<20)
	w.taken(0, "s3")
	w.write("sim/faults", "on=send match=a/m@s3 wait=1000000\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot,prune", "mirror")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.find("zfs", " send ", "a/m@s3")
	w.says("a run", "mirror", "running", 0, "")
	run.Process.Signal(syscall.SIGKILL)
	run.Wait()
	w.gone()
	w.says("a run killed", "mirror", "failed", 1, "was killed")
}

// TestHealthClocks: a time in the future is said as such, and is not fresh.
func TestHealthClocks(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.taken(-24*time.Hour, "s1")
	w.copied()
	for _, name := range []string{"offer", "fetch", "mirror"} {
		w.says("this clock is a day behind", name, "late", 1, "in the future: a clock is wrong")
		if j := w.health(name); j.Age == nil || *j.Age != 0 {
			t.Errorf("%s: age %v", name, j.Age)
		}
	}
	w.taken(25*time.Hour, "s2")
	w.copied()
	w.configure(strings.ReplaceAll(twoEnds, "snapshot_prefix: s", "monitor: {crit: 1d}\n  snapshot_prefix: s"))
	w.says("this clock is a day ahead", "mirror", "late", 2, "25h old")
}

// TestHealthPrefixes: a client that wants other snapshots than are taken has no
// copy, and both ends say so.
func TestHealthPrefixes(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.configure(strings.ReplaceAll(twoEnds, "mapping: {\"a/x<\"", "snapshot_prefix: other_\n  mapping: {\"a/x<\""))
	w.taken(0, "s1")
	w.tried("pull", "fetch")
	w.says("prefixes that differ", "fetch", "failed", 2, "none-wanted")
	w.says("prefixes that differ", "offer", "never", 2, "there is no copy")
}

// TestHealthNotify: a change is told once, with the state as every other face
// has it, and the history has the run that was killed and the one after it.
func TestHealthNotify(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.configure(strings.Replace(twoEnds, "statedir: DIR/state", `statedir: DIR/state, notify: [{command: [sh, -c, "cat >>DIR/told"]}]`, 1))
	tell := func(want ...string) {
		t.Helper()
		os.Remove(w.path("told"))
		if code, said := w.ctl("notify"); code != 0 {
			t.Fatal(code, said)
		}
		text, _ := os.ReadFile(w.path("told"))
		var got []string
		for line := range strings.Lines(string(text)) {
			var m struct {
				Was string
				Job struct{ Name, State string }
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Job.Name+" "+m.Was+" "+m.Job.State)
		}
		slices.Sort(got)
		w.equal("told", got, want...)
	}
	w.taken(months, "s1")
	w.copied()
	tell("fetch ok late", "mirror ok late", "offer ok late")
	tell()
	w.taken(0, "s2")
	w.copied()
	tell("fetch late ok", "mirror late ok", "offer late ok")
	tell()
	w.write("state/mirror.begun", `{"pid": 999999}`) // a run that was killed
	tell("mirror ok failed")
	w.done("local", "mirror")
	tell("mirror failed ok")
	_, log := w.ctl("log", "mirror")
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if len(lines) != 4 || !strings.Contains(log, "\tkilled\t") || !strings.Contains(lines[0], "\tok\t") {
		t.Errorf("%s", log)
	}
	if _, log = w.ctl("log", "-json", "offer"); strings.Count(log, `"client":"me"`) != 2 || strings.Contains(log, `"bytes":0,`) {
		t.Errorf("%s", log)
	}
}
