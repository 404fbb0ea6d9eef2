package job_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fiveTypes has a job of each type that copies, with intervals so long that the
// daemon runs none of them meanwhile.
const fiveTypes = `
global:
  rundir: RUN
  statedir: DIR/state
  notify: [{command: [sh, -c, "cat >>DIR/told"]}]
jobs:
- name: offer
  type: source
  serve: {type: stdinserver, client_identity: me}
  datasets: {"a/x<": ok}
  interval: 30d
  monitor: {warn: 2h, crit: 1d}
  snapshot_prefix: s
- name: fetch
  type: pull
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}
  mapping: {"a/x<": b/back/x}
  interval: 30d
  monitor: {warn: 2h, crit: 1d}
- name: mirror
  type: local
  mapping: {"a/m<": b/mirror/m}
  interval: 30d
  monitor: {warn: 2h, crit: 1d}
  snapshot_prefix: s
- name: send
  type: push
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, pusher]}
  datasets: {"a/m<": ok}
  interval: 30d
  monitor: {warn: 2h, crit: 1d}
  snapshot_prefix: s
  shared_prefix: true
- name: take
  type: push-sink
  serve: {type: stdinserver, client_identity: pusher}
  root: b/sink
  monitor: {warn: 2h, crit: 1d}
`

var allFive = []string{"fetch", "mirror", "offer", "send", "take"}

// five is a world with all five, each of whose copies is so old.
func five(t *testing.T, age time.Duration) *world {
	t.Helper()
	w := ends(t)
	run, err := os.MkdirTemp("", "l") // names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(run) })
	w.configure(strings.ReplaceAll(strings.ReplaceAll(fiveTypes, "RUN", run), `  snapshot_prefix: s
- name: send`, `  snapshot_prefix: s
  shared_prefix: true
- name: send`))
	w.taken(age, "s1")
	w.copied()
	w.done("push", "send")
	return w
}

// told is what notify tells now, as job, was and is.
func (w *world) told() (got []string) {
	w.t.Helper()
	os.Remove(w.path("told"))
	w.waitFor("notify tells", func() bool { // the daemon's own may be under way
		code, said := w.ctl("notify")
		if code != 0 {
			w.t.Log(code, said)
		}
		return code == 0
	})
	text, _ := os.ReadFile(w.path("told"))
	for line := range strings.Lines(string(text)) {
		var m struct {
			Was string
			Job struct{ Name, State string }
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			w.t.Fatal(err)
		}
		got = append(got, m.Job.Name+" "+m.Was+" "+m.Job.State)
	}
	slices.Sort(got)
	return got
}

// face checks that a command's output has something.
func (w *world) face(what, has string, command ...string) {
	w.t.Helper()
	if _, text := w.ctl(command...); !strings.Contains(text, has) {
		w.t.Errorf("%s: %q says no %q: %s", what, command, has, text)
	}
}

// TestHealthDaemon: what every face says of every type of job when the daemon
// runs, has an older configuration, and was killed.
func TestHealthDaemon(t *testing.T) {
	t.Parallel()
	w := five(t, time.Minute)
	for _, job := range allFive {
		w.says("without a daemon", job, "ok", 0, "")
	}
	w.face("without a daemon", "no daemon runs, though", "monitor")
	const nobody = "no daemon runs: nothing will start these"
	w.face("without a daemon", nobody, "next")
	pid := w.startDaemon()
	w.waitFor("offer has run, which was due", func() bool {
		_, err := os.Stat(w.path("state/offer.json"))
		return err == nil && w.health("offer").State != "running"
	})
	for _, job := range allFive {
		w.says("a daemon", job, "ok", 0, "")
	}
	w.face("a daemon", "zreplctl_daemon_running 1\n", "metrics")
	if _, said := w.ctl("next"); strings.Contains(said, "daemon") {
		t.Errorf("a daemon: next: %s", said)
	}
	w.equal("told", w.told())
	text, err := os.ReadFile(w.path("c.yml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("c.yml", string(text)+"# changed\n")
	const older, restart = "the daemon runs an older configuration: run zreplctl reload", "older configuration: run zreplctl reload"
	for _, job := range allFive {
		w.says("a daemon with an older configuration", job, "late", 1, restart)
	}
	for _, command := range []string{"status", "monitor", "report", "next"} {
		w.face("a daemon with an older configuration", older, command)
	}
	w.face("a daemon with an older configuration", "zreplctl_daemon_config_stale 1\n", "metrics")
	w.equal("told", w.told(), "fetch ok late", "mirror ok late", "offer ok late", "send ok late", "take ok late")
	w.write("c.yml", string(text))
	w.equal("told", w.told(), "fetch late ok", "mirror late ok", "offer late ok", "send late ok", "take late ok")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.waitFor("somebody misses the daemon", func() bool { return w.health("offer").State != "ok" })
	const died = "the daemon was killed or this host went down"
	for _, job := range []string{"fetch", "mirror", "offer", "send"} {
		w.says("a dead daemon", job, "failed", 1, died)
	}
	w.says("a dead daemon, of a job without an interval", "take", "ok", 0, "")
	for _, command := range []string{"status", "monitor", "report"} {
		w.face("a dead daemon", died, command)
	}
	w.face("a dead daemon", nobody, "next")
	if _, line := w.ctl("monitor"); strings.Count(line, died) != 1 || !strings.Contains(line, "; 5 jobs, ") {
		t.Errorf("a dead daemon: the line says it more than once, or not how the copies are: %s", line)
	}
	w.face("a dead daemon", "zreplctl_daemon_running 0\n", "metrics")
	w.equal("told", w.told(), "fetch ok failed", "mirror ok failed", "offer ok failed", "send ok failed")
	// Another process may have its number by now.
	note, err := os.ReadFile(w.path("state/.daemon"))
	if err != nil {
		t.Fatal(err)
	}
	var n map[string]any
	if err := json.Unmarshal(note, &n); err != nil {
		t.Fatal(err)
	}
	n["pid"] = os.Getpid()
	note, _ = json.Marshal(n)
	w.write("state/.daemon", string(note))
	w.says("a dead daemon, whose number another has", "offer", "failed", 1, died)
	// Something else runs all of its jobs, such as cron.
	for _, run := range [][2]string{{"autosnap", "offer"}, {"local", "mirror"}, {"push", "send"}, {"pull", "fetch"}} {
		w.face("a dead daemon, and not all jobs ran since", died, "monitor")
		if code, said := w.ctl(run[0], run[1]); code != 0 {
			t.Fatal(said)
		}
	}
	for _, job := range allFive {
		w.says("other than by a daemon", job, "ok", 0, "")
	}
	w.face("other than by a daemon", "no daemon runs, though", "monitor")
	w.face("other than by a daemon", "zreplctl_daemon_died 0\n", "metrics")
	pid = w.startDaemon()
	w.done("pull", "fetch") // beside a daemon it says nothing of what runs the job
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.waitFor("somebody misses the second daemon", func() bool { return w.health("fetch").State != "ok" })
}

// TestHealthBroken: who cannot ask the daemon, too, sees that clients cannot
// reach a job.
func TestHealthBroken(t *testing.T) {
	t.Parallel()
	w := five(t, time.Minute)
	text, err := os.ReadFile(w.path("c.yml"))
	if err != nil {
		t.Fatal(err)
	}
	sockets := w.path("sockets") // others can enter it: the daemon binds nothing there
	if err := os.Mkdir(sockets, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(sockets, 0o777)
	changed := strings.Replace(string(text), "  statedir:", "  serve: {stdinserver: {sockdir: "+sockets+"}}\n  statedir:", 1)
	w.write("c.yml", changed)
	w.startDaemon()
	run := ""
	for line := range strings.Lines(changed) {
		if dir, ok := strings.CutPrefix(line, "  rundir: "); ok {
			run = strings.TrimSpace(dir)
		}
	}
	w.waitFor("somebody says it", func() bool { return w.health("offer").State == "failed" })
	for _, where := range []string{"by the daemon", "by its note"} {
		for _, job := range []string{"offer", "take"} {
			w.says("broken sockets, "+where, job, "failed", 2, "clients cannot reach it")
		}
		w.says("broken sockets, "+where, "fetch", "ok", 0, "")
		os.Rename(run+"/daemon", run+"/away") // the control socket is for its owner alone
	}
	w.waitFor("both are told", func() bool {
		w.ctl("notify") // or the daemon has told it, or is telling it
		text, _ := os.ReadFile(w.path("told"))
		return strings.Count(string(text), `"was":"ok"`) == 2 && strings.Count(string(text), "clients cannot reach it") >= 2
	})
}

// TestHealthKey: nobody comes any more, and nobody can come.
func TestHealthKey(t *testing.T) {
	t.Parallel()
	w := five(t, 3*time.Hour)
	text, err := os.ReadFile(w.path("c.yml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("c.yml", strings.NewReplacer("serve, me]", "no-subcommand]", "serve, pusher]", "no-subcommand]").Replace(string(text)))
	w.tried("pull", "fetch")
	w.tried("push", "send")
	for job, kind := range map[string]string{"fetch": "failed", "send": "failed", "offer": "late", "take": "late", "mirror": "late"} {
		w.says("the client's key was removed", job, kind, 1, "")
	}
	w.says("the client's key was removed", "offer", "late", 1, "3h old")
	w.says("the client's key was removed", "take", "late", 1, "3h old")
	w.equal("told", w.told(), "fetch ok failed", "mirror ok late", "offer ok late", "send ok failed", "take ok late")
}
