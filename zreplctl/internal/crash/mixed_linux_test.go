package crash

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pairing is a job that replicates in a mixed world.
type pairing struct {
	name, host string
	args       []string
	from, to   string // the roots
	prefix     string
	cursor     string // tag on the sender
	last       string // tag on the receiver
}

var pairings = []pairing{
	{"mirror", "src", []string{"local", "-skip", "snapshot", "mirror"}, "src/h", "dst/back/h", "a_", "zreplctl_local_mirror", "zreplctl_last_mirror"},
	{"fetch", "dst", []string{"pull", "-retries", "0", "fetch"}, "src/h", "dst/pull/src/h", "a_", "zreplctl_source_backup", "zreplctl_last_fetch"},
	{"give", "src", []string{"push", "-skip", "snapshot", "-retries", "0", "give"}, "src/h", "dst/sink/src/h", "a_", "zreplctl_push_give", "zreplctl_last_take"},
	{"second", "src", []string{"local", "-skip", "snapshot", "second"}, "dst/back/h", "dst/second/h", "a_", "zreplctl_local_second", "zreplctl_last_second"},
	{"weekly", "src", []string{"local", "-skip", "snapshot", "weekly"}, "src/h", "dst/weekly/h", "b_", "zreplctl_local_weekly", "zreplctl_last_weekly"},
}

// fate is what the configurations of a mixed world depend on: the dataset that
// is left out of all jobs, the kind of the cursors, where connections to each
// host are cut, and the rules by which some jobs choose snapshots.
type fate struct{ out, cursor, other, fetchCut, giveCut, rules string }

const onlyNewest = "newest_only: true"

// chosenBy are rules, and which names they choose.
var chosenBy = map[string]func(name string) bool{
	"": func(name string) bool { return strings.HasPrefix(name, "a_") },
	"exclude: '[13579]$'": func(name string) bool {
		return strings.HasPrefix(name, "a_") && !strings.ContainsAny(name[len(name)-1:], "13579")
	},
	onlyNewest: func(name string) bool { return strings.HasPrefix(name, "a_") },
	"regex: '^[ab]_.*[05]$', exclude: '_7'": func(name string) bool {
		return strings.ContainsAny(name[len(name)-1:], "05") && !strings.Contains(name, "_7")
	},
}

// chooses reports whether a job has the rules.
func (j pairing) chooses() bool { return j.name == "mirror" || j.name == "fetch" || j.name == "give" }

func (f fate) spec() string {
	return strings.Join([]string{f.out, f.cursor, f.other, f.fetchCut, f.giveCut, f.rules}, "|")
}

func readFate(spec string) fate {
	w := strings.Split(spec, "|")
	return fate{w[0], w[1], w[2], w[3], w[4], w[5]}
}

// mixedConfig has all kinds of jobs, as a fate says.
func mixedConfig(w *world, host string) string {
	f := readFate(w.scenario.spec)
	rules := func(result string) string {
		return fmt.Sprintf(`{"src/h<": %s, "src/h/%s<": "!"}`, result, cmp.Or(f.out, "nothing"))
	}
	chosen := ""
	if f.rules != "" {
		chosen = "snapshots: {" + f.rules + "}, "
	}
	first := "initial_repl_policy: all, "
	if f.rules == onlyNewest {
		first = ""
	}
	return strings.NewReplacer("CHOSEN, ", chosen, "FIRST, ", first, "RUN", w.path(host+"/run"), "KEEP", keepTwo, "CURSOR", f.cursor, "OTHER", f.other, "OK", rules("ok"),
		"BACK", rules("dst/back/h"), "WEEKLY", rules("dst/weekly/h"), "SOURCE", w.serve("src", "backup", f.fetchCut), "SINK", w.serve("dst", "prod", f.giveCut)).Replace(`
global: {rundir: RUN}
jobs:
- {name: mirror, type: local, mapping: BACK, CHOSEN, snapshot_prefix: a_, shared_prefix: true, interval: 1h, cursor: CURSOR, prune_lhs: {KEEP}, prune_rhs: {KEEP}}
- {name: offer, type: source, serve: {type: stdinserver, client_identity: backup}, datasets: OK, CHOSEN, snapshot_prefix: a_, shared_prefix: true, interval: 1h, cursor: CURSOR, KEEP}
- {name: fetch, type: pull, connect: {type: exec, command: SOURCE}, mapping: {"<": dst/pull}, CHOSEN, snapshot_prefix: a_, shared_prefix: true, interval: 1h, FIRST, KEEP}
- {name: give, type: push, connect: {type: exec, command: SINK}, datasets: OK, CHOSEN, snapshot_prefix: a_, shared_prefix: true, interval: 1h, cursor: OTHER, KEEP}
- {name: take, type: push-sink, serve: {type: stdinserver, client_identity: prod}, root: dst/sink, snapshot_prefix: a_, shared_prefix: true, interval: 1h, KEEP}
- {name: second, type: local, mapping: {"dst/back/h<": dst/second/h}, snapshot_prefix: a_, shared_prefix: true, interval: 1h, cursor: OTHER, prune_rhs: {KEEP}}
- {name: weekly, type: local, mapping: WEEKLY, snapshot_prefix: b_, interval: 1h, cursor: OTHER, prune_lhs: {KEEP}, prune_rhs: {KEEP}}
`)
}

// mixed is a world in which everything happens at random.
type mixed struct {
	*past
	fate
	likely pairing // what people have had to do with, and so the next to run
	runs   int
	zero   int // of which with exit status 0
	killed int
	rolled int // conflicts that a person ended as the manual says
}

// TestMixed lets datasets, and the people about them, live at random between
// the runs of pull, push, local, a chain of two of them, and a job with a
// prefix of its own: conflicts, which a person may end as the manual says,
// foreign snapshots and holds, released holds, datasets that leave the rules,
// are destroyed or renamed, and come back, rules for snapshots that change, kills anywhere and connections that
// are cut. After each run the newest common version of every pair is there, or
// a newer one; what a conflict names is there; a run that says it did all has
// done so, and both ends protect what it goes on from; and once people have
// put things right, all jobs do.
func TestMixed(t *testing.T) {
	lives := number("ZT_MIXED", 2)
	if heavy() != few && lives == 2 {
		lives = 160 // 2,000 runs
	}
	total, zero, killed, rolled := 0, 0, 0, 0
	for seed := range lives {
		m := newMixed(t, uint64(seed+number("ZT_MIXED_SEED", 0)))
		for range 6 {
			m.happen()
			m.run(t)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		m.putRight(t)
		total, zero, killed, rolled = total+m.runs, zero+m.zero, killed+m.killed, rolled+m.rolled
		m.discard()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d runs, of which %d with exit status 0, %d killed or cut, %d conflicts ended", total, zero, killed, rolled)
}

func newMixed(t *testing.T, seed uint64) *mixed {
	kinds := []string{"hold", "bookmark"}
	f := fate{cursor: kinds[seed%2], other: kinds[seed/2%2]}
	p := &past{rng: rand.New(rand.NewPCG(seed, 4)), mounts: map[string]string{}, world: newWorld(t, scenario{config: mixedConfig, spec: f.spec()})}
	m := &mixed{past: p, fate: f}
	for _, ds := range []string{"dst/back", "dst/pull", "dst/sink", "dst/second", "dst/weekly", "src/h", "src/h/d0", "src/h/d0/c", "src/h/d1"} {
		p.must(t, "zfs", "create", ds)
		if strings.HasPrefix(ds, "src/") {
			p.datasets = append(p.datasets, ds)
			p.mounts[ds] = strings.TrimSpace(p.must(t, "zfs", "get", "-H", "-o", "value", "mountpoint", ds))
		}
	}
	return m
}

// happen is what people do between two runs.
func (m *mixed) happen() {
	for range 2 + m.rng.IntN(4) {
		for _, ds := range m.datasets {
			m.writeInto(ds)
		}
		m.sim("zfs", "snapshot", "-r", fmt.Sprintf("src/h@%c_%d", "aaab"[m.rng.IntN(4)], m.rng.IntN(1000)))
	}
	for range m.rng.IntN(4) {
		m.act(m.datasets[m.rng.IntN(len(m.datasets))])
	}
	j := pairings[m.rng.IntN(len(pairings))]
	m.likely = j
	copied := m.copied(j)
	switch m.rng.IntN(12) {
	case 0, 7:
		for range 1 + m.rng.IntN(3) {
			m.act(copied)
		}
	case 8, 9, 10, 11:
		for range 4 {
			m.writeInto(copied)
		}
	case 1:
		m.sim("zfs", "snapshot", fmt.Sprintf("%s@x_%d", copied, m.rng.IntN(100)))
	case 2:
		name := map[string]string{"src": j.name, "dst": "offer"}[j.host]
		m.quietly("src", "holds", "-release", name)
	case 3:
		m.out = []string{"", "d1", "d0"}[m.rng.IntN(3)]
	case 4:
		out, _ := m.sim("zfs", "list", "-H", "-t", "snapshot", "-d", "1", "-o", "name", m.datasets[1])
		if names := strings.Fields(out); len(names) > 0 {
			m.sim("zfs", "hold", "theirs", names[m.rng.IntN(len(names))])
		}
	case 5:
		m.sim("zfs", "rollback", "-r", copied+"@a_"+strconv.Itoa(m.rng.IntN(20)))
	case 6:
		m.leave("src/h/d1", m.rng.IntN(2) == 0)
	}
	if m.rng.IntN(2) == 0 {
		m.comeBack("src/h/d1")
	}
	if m.rng.IntN(3) == 0 {
		all := slices.Sorted(maps.Keys(chosenBy))
		m.rules = all[m.rng.IntN(len(all))]
	}
	m.fetchCut, m.giveCut = "", ""
	if m.rng.IntN(3) == 0 {
		m.fetchCut, m.giveCut = m.cut("from"), m.cut("to")
	}
	m.scenario.spec = m.spec()
}

// copied is one of a job's targets, one that is there if that is easily found.
func (m *mixed) copied(j pairing) (to string) {
	for range 4 {
		if _, to = j.ends(m.datasets[m.rng.IntN(len(m.datasets))]); m.exists(to) {
			break
		}
	}
	return to
}

// cut says where a connection breaks: in a frame, or in a stream.
func (m *mixed) cut(direction string) string {
	if m.rng.IntN(3) == 0 {
		return fmt.Sprintf("%s:%d:bytes", direction, 200+m.rng.IntN(20000))
	}
	return fmt.Sprintf("%s:%d:%s", direction, 1+m.rng.IntN(40), []string{"before", "head", "body"}[m.rng.IntN(3)])
}

// leave takes a dataset away: it is renamed, or destroyed whatever holds it.
func (m *mixed) leave(ds string, destroy bool) {
	if !destroy {
		m.sim("zfs", "rename", ds, "src/away")
		return
	}
	m.release(ds)
	m.sim("zfs", "destroy", "-r", ds)
}

func (m *mixed) comeBack(ds string) {
	if m.exists(ds) {
		return
	}
	if _, err := m.sim("zfs", "rename", "src/away", ds); err != nil {
		m.sim("zfs", "create", ds)
	}
}

// release takes all holds off ds and what is below.
func (m *mixed) release(ds string) {
	out, _ := m.sim("zfs", "list", "-H", "-r", "-t", "snapshot", "-o", "name", ds)
	for name := range strings.FieldsSeq(out) {
		tags, _ := m.sim("zfs", "holds", "-H", name)
		for line := range strings.Lines(tags) {
			m.sim("zfs", "release", strings.Split(line, "\t")[1], name)
		}
	}
}

func (m *mixed) quietly(host string, args ...string) outcome {
	var t testing.T
	o, _ := m.command(&t, command{host, args}, outcome{})
	return o
}

// run runs one job, perhaps until it is killed or cut, and judges what is
// there.
func (m *mixed) run(t *testing.T) {
	j := m.likely
	if m.rng.IntN(2) == 0 {
		j = pairings[m.rng.IntN(len(pairings))]
	}
	m.heal(t)
	b := m.before(t, j)
	for _, host := range []string{"src", "dst"} { // the wrappers count from here
		os.Remove(m.path(host + "/log"))
		os.Remove(m.path(host + "/struck"))
	}
	if m.rng.IntN(2) == 0 {
		host := []string{"src", "dst"}[m.rng.IntN(2)]
		m.write(t, host+"/fault", fmt.Sprintf("%d %s %s", 1+m.rng.IntN(25), []string{"before", "after"}[m.rng.IntN(2)], []string{"all", "caller"}[m.rng.IntN(2)]))
	}
	o, _ := m.command(t, command{j.host, j.args}, outcome{})
	m.runs++
	if m.struck("src") || m.struck("dst") {
		m.killed++
	}
	os.Remove(m.path("src/fault"))
	os.Remove(m.path("dst/fault"))
	m.judge(t, j, b, o)
	if m.rng.IntN(2) == 0 {
		m.endConflicts(t, j, o.talk)
	}
}

var conflictText = regexp.MustCompile(`to "([^"]+)": (?:modified: \d+ bytes of the target changed since|diverged: since the base) @([^ ;]+)`)

// endConflicts does what the manual says of a copy that was changed. The
// snapshot that the message names has to be there, and the next run goes on
// from it.
func (m *mixed) endConflicts(t *testing.T, j pairing, talk string) {
	var rolled []string
	for _, c := range conflictText.FindAllStringSubmatch(talk, -1) {
		to, base := c[1], c[1]+"@"+c[2]
		if !m.exists(base) {
			t.Errorf("%s: the message names %s, which is not there: %s", j.name, base, talk)
		}
		m.sim("zfs", "unmount", to)
		if _, err := m.sim("zfs", "rollback", "-r", base); err == nil {
			rolled = append(rolled, to)
		}
	}
	if rolled == nil {
		return
	}
	m.rolled += len(rolled)
	m.fetchCut, m.giveCut = "", ""
	m.scenario.spec = m.spec()
	m.heal(t)
	b := m.before(t, j)
	o, _ := m.command(t, command{j.host, j.args}, outcome{})
	m.runs++
	for _, to := range rolled {
		for _, reason := range []string{"modified", "diverged"} {
			if strings.Contains(o.talk, fmt.Sprintf("%q: %s", to, reason)) {
				t.Errorf("%s: %s was rolled back, and is %s all the same: %s", j.name, to, reason, o.talk)
			}
		}
	}
	m.judge(t, j, b, o)
}

// putRight is what a person does at the end: it undoes what stands in the way
// of each job, which then does all.
func (m *mixed) putRight(t *testing.T) {
	m.out, m.fetchCut, m.giveCut, m.rules = "", "", "", ""
	m.scenario.spec = m.spec()
	m.heal(t)
	m.comeBack("src/h/d1")
	m.must(t, "zfs", "snapshot", "-r", "src/h@a_last")
	m.must(t, "zfs", "snapshot", "-r", "src/h@b_last")
	for _, j := range pairings {
		var o outcome
		var b before
		for range 4 {
			m.runs++
			b = m.before(t, j)
			if o, _ = m.command(t, command{j.host, j.args}, outcome{}); o.status == 0 {
				break
			}
			m.solve(j, o.talk)
		}
		if o.status != 0 {
			t.Errorf("%s does not converge: %s", j.name, o.talk)
			return
		}
		m.zero++
		m.complete(t, j, b, o.talk)
	}
}

// solve makes the targets that a run complains of new ones.
func (m *mixed) solve(j pairing, talk string) {
	bad := map[string]bool{}
	for line := range strings.Lines(talk) {
		for _, ds := range m.datasets {
			if to := j.to + strings.TrimPrefix(ds, "src/h"); strings.Contains(line, strconv.Quote(to)) {
				bad[to] = true
			}
		}
	}
	for _, to := range slices.Sorted(maps.Keys(bad)) {
		m.release(to)
		m.sim("zfs", "receive", "-A", to)
		m.sim("zfs", "destroy", "-r", to)
	}
}
