package job_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// choosing is one job of each kind that replicates, with rules, under the name
// days. The source and the sink know nothing of the rules unless SOURCE says so.
var choosing = []struct{ kind, copy, hold, jobs string }{
	{"local", "b/days", "local_days", `
- {name: days, type: local, mapping: {"a/x<": b/days}, snapshot_prefix: s, initial_repl_policy: all, RULES, PRUNELOCAL}
`},
	{"pull", "b/days", "source_dayspuller", `
- {name: days, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, dayspuller]}, mapping: {"a/x<": b/days}, initial_repl_policy: all, RULES}
- {name: offerdays, type: source, serve: {type: stdinserver, client_identities: [dayspuller, second]}, datasets: {"a/x<": ok}, snapshot_prefix: s, SOURCE, PRUNESOURCE}
- {name: second, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, second]}, mapping: {"a/x<": b/second}, initial_repl_policy: all, RULES}
`},
	{"push", "b/sinkdays/a/x", "push_days", `
- {name: days, type: push, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, dayspusher]}, datasets: {"a/x<": ok}, snapshot_prefix: s, initial_repl_policy: all, RULES, PRUNESOURCE}
- {name: sinkdays, type: push-sink, serve: {type: stdinserver, client_identity: dayspusher}, root: b/sinkdays}
`},
}

// chooses writes the configuration of a kind with these rules.
func (w *world) chooses(jobs, rules, source string) {
	w.t.Helper()
	if source == "" {
		source = "max_hold: 99d"
	}
	const keep = "[{type: not_replicated}, {type: last_n, count: 1}]"
	w.configure("global: {rundir: DIR/run, statedir: DIR/state}\njobs:" + strings.NewReplacer("RULES", rules, "SOURCE", source,
		"PRUNELOCAL", "prune_lhs: {keep: "+keep+"}", "PRUNESOURCE", "keep: "+keep).Replace(jobs))
}

// take takes snapshots of a/x.
func (w *world) take(names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.must("zfs", "snapshot", "a/x@"+name)
	}
}

// judged holds the health of the job, and what monitor says, against what it is.
func (w *world) judged(what, state string, level int, why string) {
	w.t.Helper()
	if j := w.health("days"); j.State != state || j.Level != level || !strings.Contains(j.Why, why) {
		w.t.Errorf("%s: %s, level %d, %q; want %s, %d, %q", what, j.State, j.Level, j.Why, state, level, why)
	}
	if code, line := w.ctl("monitor", "days"); code != level || !strings.Contains(line, why) {
		w.t.Errorf("%s: monitor: %d, %s", what, code, line)
	}
}

// forEach runs a test for each kind of job, beside the others.
func forEach(t *testing.T, test func(w *world, kind, copy, hold, jobs string)) {
	for _, c := range choosing {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must("zfs", "create", "a/x")
			if c.kind == "push" {
				w.must("zfs", "create", "b/sinkdays")
			}
			test(w, c.kind, c.copy, c.hold, c.jobs)
		})
	}
}

// A job replicates the snapshots that its rules choose, on and on, and lacks
// none of the others.
func TestSelectedSnapshots(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		const rules = `snapshots: {regex: "^[st].*_(daily|monthly)$", exclude: ["_monthly$", ^s9]}`
		w.chooses(jobs, rules, rules)
		w.take("s1_hourly", "s2_daily", "s3_monthly", "s4_daily", "s5_hourly")
		w.done(kind, "days")
		w.has(copy, "s2_daily", "s4_daily")
		w.take("s6_hourly", "s9_daily", "t_daily", "u_daily") // the regex is instead of the prefix
		code, said := w.ctl("plan", "days")
		if code != 0 || strings.Contains(said, "s5") || strings.Contains(said, "s6") || strings.Contains(said, "s9") || strings.Contains(said, "u_") || !strings.Contains(said, "@t_daily") {
			w.t.Errorf("plan: %d %s", code, said)
		}
		w.take("s7_daily", "s8_hourly")
		w.done(kind, "days")
		w.has(copy, "s2_daily", "s4_daily", "t_daily", "s7_daily")
		w.judged("chosen", "ok", 0, "")
		if code, said := w.ctl("status", "days"); code != 0 || !strings.Contains(said, "\t0 behind\t") {
			w.t.Errorf("status: %d %s", code, said)
		}
		if code, said := w.ctl("verify", "days"); code != 0 || !strings.Contains(said, "s7_daily") {
			w.t.Errorf("verify: %d %s", code, said)
		}
	})
}

// A new dataset without a chosen snapshot waits, and no run fails for it. What
// has a copy is up to date as long as nothing is chosen after it, whatever has
// become of its base.
func TestNothingChosen(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		const rules = `snapshots: {regex: "_daily$"}`
		w.chooses(jobs, rules, rules)
		w.take("s1_hourly")
		if said := w.done(kind, "days"); !strings.Contains(said, "the job's rules choose no snapshot of any dataset: names must match \"_daily$\"") {
			w.t.Errorf("the run says %q", said)
		}
		if code, said := w.ctl("plan", "days"); code != 0 || !strings.HasPrefix(said, "none-chosen\ta/x\t"+copy+"\t-\t-\tthe source has @s1_hourly, and none of these is sent: names must match \"_daily$\"") {
			w.t.Errorf("plan: %d %s", code, said)
		}
		w.judged("nothing chosen yet", "never", 2, "a/x: there is no copy of it, and the job's rules choose none of its snapshots")
		w.take("s2_daily", "s3_hourly")
		w.done(kind, "days")
		w.must("zfs", "create", "a/x/new")
		w.must("zfs", "snapshot", "a/x/new@s4_hourly")
		if said := w.done(kind, "days"); strings.Contains(said, "choose") {
			w.t.Errorf("the run says %q", said)
		}
		w.judged("a new one waits", "ok", 0, "")
		if code, said := w.ctl("status", "-v", "days"); code != 0 || !strings.Contains(said, "the job's rules choose none of its snapshots yet") {
			w.t.Errorf("status: %d %s", code, said)
		}

		w.must("zfs", "destroy", "-r", "a/x/new")
		w.take("s4_hourly")
		w.upToDate(kind, "@s2_daily")
		w.judged("nothing chosen since", "ok", 0, "")
		guid := w.guid("a/x@s2_daily")
		w.must("zfs", "bookmark", "a/x@s2_daily", fmt.Sprintf("a/x#zreplctl_%s_%016x", hold, uint64(guid)))
		w.release("a/x")
		w.must("zfs", "destroy", "a/x@s2_daily")
		w.upToDate(kind, "#zreplctl_"+hold)
		w.judged("the base is a bookmark", "ok", 0, "")
		w.take("s5_daily")
		w.done(kind, "days")
		w.has(copy, "s2_daily", "s5_daily")
	})
}

// upToDate runs the job, which has nothing to do, and its plan.
func (w *world) upToDate(kind, base string) {
	w.t.Helper()
	w.done(kind, "days")
	if code, said := w.ctl("plan", "days"); code != 0 || !strings.HasPrefix(said, "uptodate\ta/x\t") || !strings.Contains(said, base) {
		w.t.Errorf("plan: %d %s", code, said)
	}
}

// A prefix that fits nothing stays a failure unless a regex says what is sent.
func TestPrefixDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.take("zrepl_1_daily")
	jobs := choosing[0].jobs
	w.chooses(jobs, `snapshots: {exclude: "_hourly$"}`, "")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "days"); code != 1 || !strings.Contains(said, "none-wanted") {
		t.Errorf("%d %s", code, said)
	}
	w.take("s1_hourly")
	w.done("local", "days")
	w.take("s2")
	w.done("local", "days")
	w.has("b/days", "s2")
}

// Pruning does not wait for snapshots that are never sent, keeps those that are
// until they have arrived everywhere, and never destroys a base.
func TestNotReplicatedAndRules(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		const rules = `snapshots: {exclude: "_hourly$"}`
		w.chooses(jobs, rules, rules)
		pruned := "days"
		if kind == "pull" {
			pruned = "offerdays"
		}
		w.take("s1_hourly", "s2_daily", "s3_hourly")
		w.done(kind, "days")
		if kind == "pull" {
			w.done(kind, "second")
			w.take("s4_daily", "s5_hourly", "s6_hourly")
			w.done(kind, "days")
			w.must("zreplctl", "-config", w.path("c.yml"), "prune", pruned)
			w.has("a/x", "s2_daily", "s4_daily", "s6_hourly") // the second client lacks s4_daily
			w.done(kind, "second")
		}
		w.take("s7_hourly", "s8_hourly")
		w.must("zreplctl", "-config", w.path("c.yml"), "prune", pruned)
		base := "s2_daily"
		if kind == "pull" {
			base = "s4_daily"
		}
		w.has("a/x", base, "s8_hourly")

		w.take("s9_daily", "t_hourly") // not sent yet
		w.must("zfs", "snapshot", "a/x@s9_hourly")
		w.must("zreplctl", "-config", w.path("c.yml"), "prune", pruned)
		w.has("a/x", base, "s9_daily", "t_hourly", "s9_hourly")
		w.done(kind, "days")
		if kind == "pull" {
			w.done(kind, "second")
		}
		w.must("zreplctl", "-config", w.path("c.yml"), "prune", pruned)
		w.has("a/x", "s9_daily", "t_hourly", "s9_hourly")
	})
}

// The rules change between two runs: the base is no longer chosen, stays held and
// is what the next stream starts from.
func TestChangedRules(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		w.chooses(jobs, `snapshots: {regex: "_daily$"}`, "")
		w.take("s1_daily", "s2_daily")
		w.done(kind, "days")
		w.chooses(jobs, `snapshots: {regex: "_weekly$"}`, "")
		w.take("s3_daily", "s4_daily")
		for range 2 {
			w.upToDate(kind, "@s2_daily")
		}
		if held := w.holds(); !slices.Contains(held, "a/x@s2_daily zreplctl_"+hold) || !slices.ContainsFunc(held, func(h string) bool { return strings.HasPrefix(h, copy+"@s2_daily ") }) {
			w.t.Errorf("holds: %q", held)
		}
		if code, said := w.ctl(kind, "-skip", "snapshot", "days"); code != 0 {
			w.t.Errorf("with pruning: %d %s", code, said)
		}
		w.must("zfs", "list", "a/x@s2_daily")
		w.take("s5_weekly", "s6_daily")
		w.done(kind, "days")
		w.has(copy, "s1_daily", "s2_daily", "s5_weekly")
	})
}

// A stream that broke off ends with a snapshot that is not chosen any more: it is
// not finished, and does not stop the next one.
func TestPartialLeftOut(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		w.chooses(jobs, `snapshots: {regex: "_daily$"}`, "")
		w.fill("a/x", 4<<20)
		w.take("s1_daily")
		w.write("sim/faults", "on=send cut=2000000\n")
		w.tried(kind, "days")
		w.write("sim/faults", "")
		if token := w.token(copy); len(token) < 20 {
			w.t.Fatalf("no token: %q", token)
		}
		w.chooses(jobs, `snapshots: {regex: "_weekly$"}`, "")
		code, said := w.ctl("plan", "days")
		if code != 0 || !strings.HasPrefix(said, "none-chosen\t") || !strings.Contains(said, "the partial receive is discarded: it is of @s1_daily, which the job no longer sends") {
			w.t.Errorf("plan: %d %s", code, said)
		}
		w.write("sim/faults", "on=receive match=-A from=1 fail=1 message=cannot discard\\n\n")
		if code := w.tried(kind, "days"); code != 1 {
			w.t.Errorf("it cannot be discarded: exit status %d", code)
		}
		w.write("sim/faults", "")
		w.done(kind, "days")
		w.equal("holds", w.holds())
		if code, said := w.ctl("plan", "days"); code != 0 || strings.Contains(said, "discarded") {
			w.t.Errorf("plan: %d %s", code, said)
		}
		w.take("s2_weekly")
		w.done(kind, "days")
		w.has(copy, "s2_weekly")
	})
}

// A copy that was received once and is gone is a failure, whatever is chosen.
func TestCopyGoneNothingChosen(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		w.chooses(jobs, `snapshots: {regex: "_daily$"}`, "")
		w.take("s1_daily")
		w.done(kind, "days")
		w.release(copy)
		w.must("zfs", "destroy", "-r", copy)
		w.chooses(jobs, `snapshots: {regex: "_weekly$"}`, "")
		for range 2 {
			code, said := w.ctl(kind, "-skip", "snapshot,prune", "days")
			if code != 1 || !strings.Contains(said, "not-offered: the job received it once, and the copy no longer exists; the source has @s1_daily") {
				w.t.Errorf("%d %s", code, said)
			}
		}
		if code, said := w.ctl("forget", "days", copy); code != 0 {
			w.t.Errorf("forget: %d %s", code, said)
		}
		w.done(kind, "days")
	})
}

// A dataset that waits keeps nothing below it waiting, and each side goes on
// saying that it waits. When something is chosen it takes its place.
func TestWaitsAboveOthers(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		const rules = `snapshots: {regex: "_daily$"}`
		w.chooses(jobs, rules, rules)
		w.must("zfs", "create", "a/x/y")
		w.take("s1_hourly")
		w.must("zfs", "snapshot", "a/x/y@s1_daily")
		for range 2 {
			w.done(kind, "days")
			w.has(copy+"/y", "s1_daily")
			w.has(copy)
			if code, said := w.ctl("status", "-v", "days"); code != 0 || !strings.Contains(said, "the job's rules choose none of its snapshots") {
				w.t.Errorf("status: %d %s", code, said)
			}
		}
		w.take("s2_daily")
		w.done(kind, "days")
		w.has(copy, "s2_daily")
		w.judged("all is there", "ok", 0, "")
	})
}

// The pool of the copies is not imported, and the rules choose nothing: the copies
// are in it. Nothing that waits for them is let go, here or on the source.
func TestNoPoolNothingChosen(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		const daily, weekly = `snapshots: {regex: "_daily$"}`, `snapshots: {regex: "_weekly$"}`
		w.chooses(jobs, daily, daily)
		w.take("s1_daily", "s2_hourly")
		w.done(kind, "days")
		w.chooses(jobs, weekly, weekly)
		w.take("s3_hourly")
		gone := func() {
			w.t.Helper()
			w.must("zpool", "export", "b")
			told := func() (all string) {
				names, _ := filepath.Glob(w.path("state/*.common"))
				for _, name := range names {
					text, err := os.ReadFile(name)
					all += fmt.Sprintf("%s %s %v\n", name, text, err)
				}
				return all
			}
			held, common := w.holds(), told()
			if code, said := w.ctl("plan", "days"); code != 1 || !strings.HasPrefix(said, "no-pool\ta/x\t"+copy+"\t-\t-\tthe receiver has no pool \"b\"") || strings.Contains(said, "forget") {
				w.t.Errorf("plan: %d %s", code, said)
			}
			for range 2 {
				if code, said := w.ctl(kind, "-skip", "snapshot,prune", "days"); code != 1 || !strings.Contains(said, "no-pool") || strings.Contains(said, "forget") || strings.Contains(said, "released") {
					w.t.Errorf("%d %s", code, said)
				}
			}
			w.equal("holds", w.holds(), held...)
			if now := told(); now != common {
				w.t.Errorf("the source was told %q, and before that %q", now, common)
			}
			w.must("zpool", "import", "-R", w.path("mnt"), "-d", w.dir, "b")
		}
		gone()
		if err := os.RemoveAll(w.path("state")); err != nil { // nobody knows of the copy by now
			w.t.Fatal(err)
		}
		gone()
		w.upToDate(kind, "@s1_daily")
		w.take("s4_weekly")
		w.done(kind, "days")
		w.has(copy, "s1_daily", "s4_weekly")
	})
}

// As long as a partner has nothing of a dataset, nothing goes that it is not sent:
// the rules may have a slip.
func TestSlipKeepsAll(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		pruned := "days"
		if kind == "pull" {
			pruned = "offerdays"
		}
		w.must("zfs", "create", "a/x/empty")
		const slip, rules = `snapshots: {regex: "_dialy$"}`, `snapshots: {regex: "_daily$"}`
		w.chooses(jobs, slip, slip)
		w.take("s1_daily", "s2_hourly", "s3_hourly")
		if said := w.done(kind, "days"); !strings.Contains(said, "the job's rules choose no snapshot of any dataset") {
			w.t.Errorf("the run says %q", said)
		}
		w.must("zreplctl", "-config", w.path("c.yml"), "prune", pruned)
		w.has("a/x", "s1_daily", "s2_hourly", "s3_hourly")
		w.chooses(jobs, rules, rules)
		w.done(kind, "days")
		if kind == "pull" {
			w.must("zreplctl", "-config", w.path("c.yml"), "prune", pruned)
			w.has("a/x", "s1_daily", "s2_hourly", "s3_hourly") // the second client has nothing
			w.done(kind, "second")
		}
		w.must("zreplctl", "-config", w.path("c.yml"), "prune", pruned)
		w.has("a/x", "s1_daily", "s3_hourly")
	})
}

// A partial receive that is discarded makes place for what comes below it, and
// plan says so. Where the copy is gone it stays, and nobody says otherwise.
func TestPartialAboveOthers(t *testing.T) {
	t.Parallel()
	forEach(t, func(w *world, kind, copy, hold, jobs string) {
		cut := func() {
			w.t.Helper()
			w.write("sim/faults", "on=send cut=2000000\n")
			w.tried(kind, "days")
			w.write("sim/faults", "")
			if token := w.token(copy); len(token) < 20 {
				w.t.Fatalf("no token: %q", token)
			}
		}
		w.must("zfs", "create", "a/x/y")
		w.must("zfs", "snapshot", "a/x/y@s1_weekly")
		w.chooses(jobs, `snapshots: {regex: "_daily$"}`, "")
		w.fill("a/x", 4<<20)
		w.take("s1_daily")
		cut()
		w.chooses(jobs, `snapshots: {regex: "_weekly$"}`, "")
		if code, said := w.ctl("plan", "days"); code != 0 || !strings.Contains(said, "full\ta/x/y\t"+copy+"/y\t-\t@s1_weekly\t") {
			w.t.Errorf("plan: %d %s", code, said)
		}
		w.write("sim/faults", "on=receive match=-A from=1 fail=1 message=cannot discard\\n\n")
		if code := w.tried(kind, "days"); code != 1 || len(w.token(copy)) < 20 {
			w.t.Errorf("it cannot be discarded: exit status %d", code)
		}
		w.write("sim/faults", "")
		w.done(kind, "days")
		w.has(copy+"/y", "s1_weekly")
		w.take("s2_weekly")
		w.done(kind, "days")
		w.has(copy, "s2_weekly")

		w.release(copy)
		w.release(copy + "/y")
		w.must("zfs", "destroy", "-r", copy)
		w.chooses(jobs, `snapshots: {regex: "_daily$"}`, "")
		cut()
		w.chooses(jobs, `snapshots: {regex: "_none$"}`, "")
		for range 2 {
			for _, args := range [][]string{{"plan", "days"}, {kind, "-skip", "snapshot,prune", "days"}} {
				if code, said := w.ctl(args...); code != 1 || !strings.Contains(said, "not-offered") || strings.Contains(said, "discard") {
					w.t.Errorf("%q: %d %s", args, code, said)
				}
			}
		}
		if len(w.token(copy)) < 20 {
			w.t.Error("it was discarded")
		}
	})
}
