package job_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// One tree, sent in three ways to receivers that set aside what cannot go on.
const asideJobs = `
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: me}, datasets: {"a<": ok}, snapshot_prefix: s, shared_prefix: true}
- {name: fetch, type: pull, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}, mapping: {"a<": b/fetch}, RECV, snapshot_prefix: s, shared_prefix: true, keep: [{type: last_n, count: 1}]}
- {name: mirror, type: local, mapping: {"a<": b/mirror}, snapshot_prefix: s, shared_prefix: true, RECV, prune_rhs: {keep: [{type: last_n, count: 1}]}}
- {name: sink, type: push-sink, serve: {type: stdinserver, client_identity: pusher}, root: b/sink, RECV, snapshot_prefix: s, shared_prefix: true, keep: [{type: last_n, count: 1}]}
- {name: pushit, type: push, connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, pusher]}, datasets: {"a<": ok}, snapshot_prefix: s, shared_prefix: true}
`

var asideBy = [][4]string{{"pull", "fetch", "b/fetch", "fetch"}, {"local", "mirror", "b/mirror", "mirror"}, {"push", "pushit", "b/sink/a", "sink"}}

const asideAll = `recv: {conflict: {diverged: rename, modified: rename, unrelated: rename}}`

func (w *world) asideJobs(recv string) {
	w.t.Helper()
	sameDay(w.t)
	w.configure(strings.ReplaceAll(asideJobs, "RECV", recv))
	w.must("zfs", "create", "b/sink")
}

// guids are those of all snapshots of the receiving pool.
func (w *world) allGUIDs() []string {
	w.t.Helper()
	all := w.lines("zfs", "list", "-rHo", "guid", "-t", "snapshot", "b")
	slices.Sort(all)
	return all
}

// kept reports a snapshot that the receiving pool had and has not.
func (w *world) kept(before []string) {
	w.t.Helper()
	after := w.allGUIDs()
	for _, guid := range before {
		if !slices.Contains(after, guid) {
			w.t.Errorf("a snapshot with guid %s is gone", guid)
		}
	}
}

// sameDay waits for the next day if that is near: names and messages of this test
// have the date.
func sameDay(t *testing.T) {
	t.Helper()
	const near = 5 * time.Minute
	if rest := 24*time.Hour - time.Since(time.Now().UTC().Truncate(24*time.Hour)); rest < near {
		time.Sleep(rest)
	}
}

// aside is the name that something set aside now has.
func aside(name, reason string) string {
	return name + "." + reason + "-" + time.Now().UTC().Format("20060102")
}

// spoil makes a job's copy of a/x end in a conflict.
func (w *world) spoil(reason, copied string) {
	w.t.Helper()
	switch reason {
	case "diverged":
		w.used(copied)
		w.must("zfs", "snapshot", copied+"@mine")
	case "modified":
		w.used(copied)
	case "unrelated":
		w.anew("a/x")
		w.fill("a/x", 1000)
	}
	w.must("zfs", "snapshot", "-r", "a@s2")
}

// used has somebody write to a copy, and make it inert again.
func (w *world) used(copied string) {
	w.t.Helper()
	w.touch(copied)
	w.must("zfs", "unmount", copied)
	w.must("zfs", "set", "readonly=on", copied)
	w.must("zfs", "set", "canmount=noauto", copied)
}

// anew destroys a source, with all below it, and creates it again.
func (w *world) anew(source string) {
	w.t.Helper()
	names := w.lines("zfs", "list", "-rHo", "name", source)
	for _, name := range names {
		w.release(name)
	}
	w.must("zfs", "destroy", "-r", source)
	for _, name := range names {
		w.must("zfs", "create", name)
	}
}

// TestAside: what cannot go on is set aside, and a new copy begins in its place.
// Nothing is destroyed; and what was set aside is inert, is no copy, is not pruned
// and is named until it is destroyed.
func TestAside(t *testing.T) {
	for _, reason := range []string{"diverged", "modified", "unrelated"} {
		for _, job := range asideBy {
			t.Run(reason+"_"+job[0], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.asideJobs(asideAll)
				w.must("zfs", "create", "a/x")
				w.must("zfs", "create", "a/stays")
				w.fill("a/x", 3000)
				w.must("zfs", "snapshot", "-r", "a@s1")
				w.done(job[0], job[1])
				copied := job[2] + "/x"
				w.spoil(reason, copied)
				before, to := w.allGUIDs(), aside(copied, reason)
				code, said := w.ctl("plan", job[1])
				if code != 0 || !strings.Contains(said, "aside\ta/x\t"+copied+"\t-\t-\tthe copy is set aside as \""+to+"\", and a new one begins: "+reason+": ") ||
					!strings.Contains(said, "full\ta/x\t"+copied+"\t-\t@s2\t") {
					t.Errorf("exit status %d: %s", code, said)
				}
				if now := w.allGUIDs(); !slices.Equal(now, before) {
					t.Error("plan changed something")
				}
				said = w.done(job[0], job[1])
				for _, want := range []string{"warning: set aside the copy \"" + copied + "\" as \"" + to + "\": " + reason, "was set aside as \"" + to + "\"; sending it anew"} {
					if !strings.Contains(said, want) {
						t.Errorf("not said %q: %s", want, said)
					}
				}
				w.kept(before)
				w.sameGUID("a/x@s2", copied+"@s2")
				w.must("zfs", "list", to+"@s1", copied+"@s2", job[2]+"/stays@s2")
				for _, p := range []string{"readonly on local", "canmount noauto local", "zreplctl:aside " + to[strings.LastIndex(to, "/")+1:] + " local"} {
					name, value, _ := strings.Cut(p, " ")
					w.shows(to, name, value)
				}
				if held := w.holds(); slices.ContainsFunc(held, func(h string) bool { return strings.HasPrefix(h, to) }) ||
					slices.ContainsFunc(held, func(h string) bool { return strings.HasPrefix(h, "a/x@s1") }) {
					t.Errorf("%q", held)
				}
				w.must("zfs", "snapshot", "-r", "a@s3")
				if said := w.done(job[0], job[1]); strings.Contains(said, "aside") {
					t.Errorf("%s", said)
				}
				w.must("zreplctl", "-config", w.path("c.yml"), "prune", job[3])
				w.kept(w.lines("zfs", "list", "-rHo", "guid", "-t", "snapshot", to))
				w.must("zfs", "list", to+"@s1", copied+"@s3")
				w.namesAside(job[3], to, copied)
				w.must("zfs", "destroy", "-r", to)
				if _, said := w.ctl("status"); strings.Contains(said, to) { // -v says that it was
					t.Errorf("%s", said)
				}
			})
		}
	}
}

// namesAside: each face names what was set aside, and nothing takes it for a copy.
func (w *world) namesAside(job, to, of string) {
	w.t.Helper()
	for _, args := range [][]string{{"status", job}, {"check"}, {"status", "-json", job}} {
		if _, said := w.ctl(args...); !strings.Contains(said, to) || !strings.Contains(said, of) {
			w.t.Errorf("%q: %s", args, said)
		}
	}
	words := "the copy \"" + of + "\" was set aside as \"" + to + "\""
	if code, said := w.ctl("monitor", job); code != 1 || !strings.Contains(said, words) || !strings.Contains(said, "if nobody needs it: zfs destroy -r "+to) {
		w.t.Errorf("exit status %d: %s", code, said)
	}
	_, said := w.ctl("report")
	for _, want := range []string{to + ", which was " + of, "was set aside as", "were set aside and were sent anew"} {
		if !strings.Contains(said, want) {
			w.t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(said, "was gone and was") || strings.Contains(said, "were gone and") {
		w.t.Error("the page says that the copy was gone")
	}
	if _, said := w.ctl("metrics"); !strings.Contains(said, `zreplctl_job_level{backup_job="`+job+`"`) || !strings.Contains(said, `zreplctl_job_set_aside_copies{backup_job="`+job+`"`) {
		w.t.Errorf("%s", said)
	}
	for _, args := range [][]string{{"list", job}, {"plan", job}} {
		if _, said := w.ctl(args...); strings.Contains(said, to) {
			w.t.Errorf("%q: %s", args, said)
		}
	}
}

// TestAsideOnce: there is at most one for each copy, and after that the conflict
// is reported.
func TestAsideOnce(t *testing.T) {
	for _, job := range asideBy {
		t.Run(job[0], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.asideJobs(asideAll)
			w.must("zfs", "create", "a/x")
			w.must("zfs", "snapshot", "-r", "a@s1")
			w.done(job[0], job[1])
			w.spoil("unrelated", "")
			w.done(job[0], job[1])
			w.anew("a/x")
			w.must("zfs", "snapshot", "-r", "a@s3")
			before := w.everything()
			for range 2 {
				code, said := w.ctl(job[0], "-skip", "snapshot,prune", job[1])
				if code != 1 || !strings.Contains(said, `the copy is not set aside: "`+aside(job[2]+"/x", "unrelated")+`" was set aside before and is still there`) {
					t.Errorf("exit status %d: %s", code, said)
				}
			}
			_ = before
			if _, said := w.ctl("plan", job[1]); !strings.Contains(said, "was set aside before and is still there") {
				t.Errorf("%s", said)
			}
			w.must("zfs", "destroy", "-r", aside(job[2]+"/x", "unrelated"))
			w.done(job[0], job[1])
			w.must("zfs", "list", aside(job[2]+"/x", "unrelated")+"@s2", job[2]+"/x@s3")
		})
	}
}

// stays runs mirror, which must report a/x and leave its copy where it is.
func (w *world) stays(why string) {
	w.t.Helper()
	for _, args := range [][]string{{"local", "-skip", "snapshot,prune", "mirror"}, {"local", "-skip", "snapshot,prune", "mirror"}} {
		code, said := w.ctl(args...)
		if code != 1 || !strings.Contains(said, why) {
			w.t.Errorf("not said %q: exit status %d: %s", why, code, said)
		}
		w.must("zfs", "list", "b/mirror/x@s1")
	}
	if strings.Contains(w.must("zfs", "list", "-rHo", "name", "b"), "-20") {
		w.t.Error("something was set aside")
	}
}

// TestAsideStays: a copy stays where it is, and is reported, while it or anything
// below it is in use, is another job's, or can go on.
func TestAsideStays(t *testing.T) {
	for name, c := range map[string]struct {
		recv        string
		before, end []string // commands
		why         string
	}{
		"by default":     {`stall: 5m`, nil, nil, "unrelated: "},
		"another reason": {`recv: {conflict: {diverged: rename, modified: rename, unrelated: report}}`, nil, nil, "unrelated: "},
		"healthy below":  {asideAll, []string{"zfs create b/mirror/x/mine"}, []string{"zfs destroy b/mirror/x/mine"}, `the copy is not set aside: "b/mirror/x/mine" below it would move along`},
		"mounted":        {asideAll, []string{"zfs set canmount=on b/mirror/x"}, []string{"zfs unmount b/mirror/x", "zfs set canmount=noauto b/mirror/x"}, `"b/mirror/x" is mounted`},
		"activated":      {asideAll, []string{"zreplctl activate b/mirror/x", "zfs unmount b/mirror/x"}, []string{"zreplctl activate -inert b/mirror/x"}, `"b/mirror/x" is not inert: canmount is on`},
		"another's hold": {asideAll, []string{"zfs hold zreplctl_source_other b/mirror/x@s1"}, []string{"zfs release zreplctl_source_other b/mirror/x@s1"}, `another job needs "b/mirror/x@s1": it has the hold "zreplctl_source_other"`},
		"zrepl's hold":   {asideAll, []string{"zfs hold zrepl_last_received_J_x b/mirror/x@s1"}, []string{"zfs release zrepl_last_received_J_x b/mirror/x@s1"}, "another job needs"},
		"a bookmark":     {asideAll, []string{"zfs bookmark b/mirror/x@s1 b/mirror/x#zreplctl_source_o_1"}, []string{"zfs destroy b/mirror/x#zreplctl_source_o_1"}, `another job needs "b/mirror/x#zreplctl_source_o_1"`},
		"another's list": {asideAll, []string{"cp state/mirror.covered state/other.covered"}, []string{"rm state/other.covered"}, `"b/mirror/x" is a copy of job "other", too`},
		"not received":   {asideAll, []string{"zfs release zreplctl_last_mirror b/mirror/x@s1"}, []string{"zfs hold zreplctl_last_mirror b/mirror/x@s1"}, `no snapshot of "b/mirror/x" has the job's hold`},
		"a long name":    {asideAll, []string{"zfs snapshot b/mirror/x@" + strings.Repeat("n", 230)}, []string{"zfs destroy b/mirror/x@" + strings.Repeat("n", 230)}, "a name would have 260 bytes: at most 255"},
		"no room":        {asideAll, []string{"zfs set quota=64K b/mirror"}, []string{"zfs set quota=none b/mirror"}, "a new copy has no room beside it: about "},
	} {
		t.Run(strings.ReplaceAll(name, "'", ""), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.asideJobs(`stall: 5m`)
			w.must("zfs", "create", "a/x")
			w.must("zfs", "snapshot", "-r", "a@s1")
			w.done("local", "mirror")
			w.spoil("unrelated", "")
			w.fill("a/x", 300000)
			w.must("zfs", "snapshot", "-r", "a@s3")
			w.configure(strings.ReplaceAll(asideJobs, "RECV", c.recv))
			run := func(all []string) {
				for _, text := range all {
					command := []string{"sh", "-c", "cd '" + w.dir + "' && " + text}
					if strings.HasPrefix(text, "zfs ") {
						command = strings.Fields(text)
					}
					w.must(command...)
				}
			}
			run(c.before)
			before := w.allGUIDs()
			w.stays(c.why)
			w.kept(before)
			if c.end == nil {
				w.configure(strings.ReplaceAll(asideJobs, "RECV", asideAll))
			}
			run(c.end)
			w.done("local", "mirror")
			w.must("zfs", "list", aside("b/mirror/x", "unrelated")+"@s1", "b/mirror/x@s3")
		})
	}
}

// TestAsideTree: a tree of which each part is in conflict moves as a whole, also
// if it is the job's root; of another one only what is alone to blame.
func TestAsideTree(t *testing.T) {
	t.Run("root", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.configure(`
global: {rundir: DIR/run, statedir: DIR/state}
jobs:
- {name: mirror, type: local, mapping: {"a/x<": b/x}, snapshot_prefix: s, shared_prefix: true, recv: {conflict: {unrelated: rename}}}
`)
		for _, ds := range []string{"a/x", "a/x/hole", "a/x/hole/n"} {
			w.must("zfs", "create", ds)
		}
		w.must("zfs", "create", "-V", "1M", "a/x/vol")
		for _, ds := range []string{"a/x", "a/x/hole/n", "a/x/vol"} {
			w.must("zfs", "snapshot", ds+"@s1")
		}
		w.done("local", "mirror")
		before := w.allGUIDs()
		w.anew("a/x")
		w.must("zfs", "snapshot", "-r", "a@s2")
		code, plan := w.ctl("plan", "mirror")
		if code != 0 || strings.Count(plan, "aside\t") != 1 || strings.Count(plan, "full\t") != 4 {
			t.Errorf("exit status %d: %s", code, plan)
		}
		w.done("local", "mirror")
		w.kept(before)
		to := aside("b/x", "unrelated")
		w.must("zfs", "list", to+"@s1", to+"/hole/n@s1", to+"/vol@s1", "b/x@s2", "b/x/hole@s2", "b/x/hole/n@s2", "b/x/vol@s2")
		w.shows(to+"/vol", "volmode", "none local")
		if _, said := w.ctl("status"); !strings.Contains(said, to) {
			t.Errorf("%s", said)
		}
		w.anew("a/x")
		w.must("zfs", "snapshot", "-r", "a@s3")
		if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 1 || !strings.Contains(said, `"`+to+`" was set aside before and is still there`) {
			t.Errorf("exit status %d: %s", code, said)
		}
		w.must("zfs", "list", "b/x@s2", "b/x/hole/n@s2")
	})
	t.Run("one", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.asideJobs(asideAll)
		w.must("zfs", "create", "-p", "a/x/n/deep")
		w.must("zfs", "create", "-p", "a/x/m")
		w.must("zfs", "snapshot", "-r", "a@s1")
		w.done("local", "mirror")
		before := w.allGUIDs()
		w.used("b/mirror/x")   // has healthy ones below it
		w.used("b/mirror/x/m") // has none
		w.must("zfs", "snapshot", "-r", "a@s2")
		code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
		if code != 1 || !strings.Contains(said, `modified: `) || !strings.Contains(said, `the copy is not set aside: "b/mirror/x/n" below it would move along`) {
			t.Errorf("exit status %d: %s", code, said)
		}
		w.kept(before)
		w.must("zfs", "list", "b/mirror/x@s1", "b/mirror/x/n@s2", "b/mirror/x/n/deep@s2", "b/mirror/x/m@s2", aside("b/mirror/x/m", "modified")+"@s1")
	})
}
