package crash

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
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
	cursor     string // tag on the sender
	last       string // tag on the receiver
}

var pairings = []pairing{
	{"mirror", "src", []string{"local", "-skip", "snapshot", "mirror"}, "src/h", "dst/back/h", "zreplctl_local_mirror", "zreplctl_last_mirror"},
	{"fetch", "dst", []string{"pull", "-retries", "0", "fetch"}, "src/h", "dst/pull/src/h", "zreplctl_source_backup", "zreplctl_last_fetch"},
	{"give", "src", []string{"push", "-skip", "snapshot", "-retries", "0", "give"}, "src/h", "dst/sink/src/h", "zreplctl_push_give", "zreplctl_last_take"},
	{"second", "src", []string{"local", "-skip", "snapshot", "second"}, "dst/back/h", "dst/second/h", "zreplctl_local_second", "zreplctl_last_second"},
}

// mixedConfig has all kinds of jobs; spec says which dataset is left out of
// all of them, and whether cursors are bookmarks.
func mixedConfig(w *world, host string) string {
	out, cursor, _ := strings.Cut(w.scenario.spec, " ")
	if out == "" {
		out = "nothing"
	}
	rules := func(result string) string { return fmt.Sprintf(`{"src/h<": %s, "src/h/%s<": "!"}`, result, out) }
	return fmt.Sprintf(`
global: {rundir: %s}
jobs:
- {name: mirror, type: local, mapping: %s, snapshot_prefix: a_, shared_prefix: true, interval: 1h, cursor: %s, prune_lhs: {%s}, prune_rhs: {%s}}
- {name: offer, type: source, serve: {type: stdinserver, client_identity: backup}, datasets: %s, snapshot_prefix: a_, shared_prefix: true, interval: 1h, cursor: %s, %s}
- {name: fetch, type: pull, connect: {type: exec, command: %s}, mapping: {"<": dst/pull}, snapshot_prefix: a_, shared_prefix: true, interval: 1h, initial_repl_policy: all, %s}
- {name: give, type: push, connect: {type: exec, command: %s}, datasets: %s, snapshot_prefix: a_, shared_prefix: true, interval: 1h, %s}
- {name: take, type: push-sink, serve: {type: stdinserver, client_identity: prod}, root: dst/sink, snapshot_prefix: a_, shared_prefix: true, interval: 1h, %s}
- {name: second, type: local, mapping: {"dst/back/h<": dst/second/h}, snapshot_prefix: a_, shared_prefix: true, interval: 1h, prune_rhs: {%s}}
`, w.path(host+"/run"), rules("dst/back/h"), cursor, keepTwo, keepTwo, rules("ok"), cursor, keepTwo,
		w.serve("src", "backup", ""), keepTwo, w.serve("dst", "prod", ""), rules("ok"), keepTwo, keepTwo, keepTwo)
}

// mixed is a world in which everything happens at random.
type mixed struct {
	*past
	out  string // the dataset that is left out
	runs int
	zero int // of which with exit status 0
}

// TestMixed lets datasets, and the people about them, live at random between
// the runs of pull, push, local and a chain of two of them: conflicts,
// foreign snapshots and holds, released holds, datasets that leave the rules
// and come back, and kills anywhere. After each run the newest common version
// of every pair is there, or a newer one; a run that says it did all has done
// so; and once people have put things right, all jobs do.
func TestMixed(t *testing.T) {
	lives := number("ZT_MIXED", 2)
	if heavy() != few && lives == 2 {
		lives = 500
	}
	total, zero, killed := 0, 0, 0
	for seed := range lives {
		m := newMixed(t, uint64(seed+number("ZT_MIXED_SEED", 0)))
		for range 4 {
			m.happen()
			if m.run(t) {
				killed++
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		m.putRight(t)
		total, zero = total+m.runs, zero+m.zero
		m.discard()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d runs, of which %d with exit status 0, %d killed", total, zero, killed)
}

func newMixed(t *testing.T, seed uint64) *mixed {
	cursor := []string{"hold", "bookmark"}[seed%2]
	p := &past{rng: rand.New(rand.NewPCG(seed, 4)), mounts: map[string]string{}, world: newWorld(t, scenario{config: mixedConfig, spec: " " + cursor})}
	m := &mixed{past: p}
	for _, ds := range []string{"dst/back", "dst/pull", "dst/sink", "dst/second", "src/h", "src/h/d0", "src/h/d0/c", "src/h/d1"} {
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
		m.sim("zfs", "snapshot", "-r", fmt.Sprintf("src/h@a_%d", m.rng.IntN(1000)))
	}
	for range m.rng.IntN(4) {
		m.act(m.datasets[m.rng.IntN(len(m.datasets))])
	}
	j := pairings[m.rng.IntN(len(pairings))]
	copied := j.to + strings.TrimPrefix(m.datasets[m.rng.IntN(len(m.datasets))], "src/h")
	switch m.rng.IntN(8) {
	case 0:
		if m.exists(copied) {
			m.act(copied)
		}
	case 1:
		m.sim("zfs", "snapshot", fmt.Sprintf("%s@x_%d", copied, m.rng.IntN(100)))
	case 2:
		name := map[string]string{"src": j.name, "dst": "offer"}[j.host]
		m.quietly("src", "holds", "-release", name)
	case 3:
		m.out = []string{"", "d1", "d0"}[m.rng.IntN(3)]
		_, cursor, _ := strings.Cut(m.scenario.spec, " ")
		m.scenario.spec = m.out + " " + cursor
	case 4:
		out, _ := m.sim("zfs", "list", "-H", "-t", "snapshot", "-d", "1", "-o", "name", m.datasets[1])
		if names := strings.Fields(out); len(names) > 0 {
			m.sim("zfs", "hold", "theirs", names[m.rng.IntN(len(names))])
		}
	case 5:
		m.sim("zfs", "rollback", "-r", copied+"@a_"+strconv.Itoa(m.rng.IntN(20)))
	}
}

func (m *mixed) quietly(host string, args ...string) outcome {
	var t testing.T
	o, _ := m.command(&t, command{host, args}, outcome{})
	return o
}

// newest is the newest common version of each target that has one: its guid,
// and whether the sender protects it.
func (m *mixed) newest(t *testing.T, j pairing) map[string][]string {
	out := map[string][]string{}
	for _, ds := range m.datasets {
		from, to := j.from+strings.TrimPrefix(ds, "src/h"), j.to+strings.TrimPrefix(ds, "src/h")
		if !m.exists(from) || !m.exists(to) {
			continue
		}
		here := m.versions(t, from)
		for _, line := range m.snapshots(t, to) {
			guid := line[strings.LastIndex(line, " ")+1:]
			if v, ok := here[guid]; ok && (v.snapshot != "" || v.bookmark || m.bookmarked(t, from, guid)) {
				out[to] = append(out[to], guid)
			}
		}
	}
	return out
}

func (m *mixed) bookmarked(t *testing.T, ds, guid string) bool {
	return slices.ContainsFunc(m.lines(t, "zfs", "list", "-H", "-d", "1", "-t", "bookmark", "-o", "guid", ds), func(g string) bool { return g == guid })
}

// protected says of which targets the sender protects the newest common
// version, for a job whose turn it is not.
func (m *mixed) protected(t *testing.T, j pairing, common map[string][]string) map[string]bool {
	out := map[string]bool{}
	for to, guids := range common {
		from := j.from + strings.TrimPrefix(to, j.to)
		last := guids[len(guids)-1]
		v := m.versions(t, from)[last]
		out[to] = v.bookmark || v.snapshot != "" && slices.Contains(m.holds(t, v.snapshot), j.cursor)
	}
	return out
}

// run runs one job, perhaps until it is killed, and judges what is there.
func (m *mixed) run(t *testing.T) (killed bool) {
	j := pairings[m.rng.IntN(len(pairings))]
	m.heal(t)
	before, safe := map[string]map[string][]string{}, map[string]map[string]bool{}
	for _, p := range pairings {
		before[p.name] = m.newest(t, p)
		safe[p.name] = m.protected(t, p, before[p.name])
	}
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
	killed = m.struck("src") || m.struck("dst")
	os.Remove(m.path("src/fault"))
	os.Remove(m.path("dst/fault"))
	if o.left != nil {
		t.Errorf("%s: left running %q", j.name, o.left)
	}
	for _, p := range pairings {
		after := m.newest(t, p)
		for to, guids := range before[p.name] {
			last := guids[len(guids)-1]
			if p.name != j.name && !safe[p.name][to] {
				continue
			}
			if !slices.Contains(after[to], last) && (len(after[to]) == 0 || slices.Contains(guids, after[to][len(after[to])-1])) {
				t.Errorf("a run of %s cut the chain of %s to %s: common were %q, are %q\n%s", j.name, p.name, to, guids, after[to], o.talk)
			}
		}
	}
	if o.status == 0 {
		m.zero++
		m.complete(t, j, o.talk)
	}
	return killed
}

// complete: after exit status 0 each target that the job ever received has the
// newest snapshot that is wanted of a source that is offered.
func (m *mixed) complete(t *testing.T, j pairing, talk string) {
	for _, ds := range m.datasets {
		from, to := j.from+strings.TrimPrefix(ds, "src/h"), j.to+strings.TrimPrefix(ds, "src/h")
		offered := m.exists(from) && (j.name == "second" || m.out == "" || !strings.HasPrefix(ds+"/", "src/h/"+m.out+"/"))
		newest := ""
		if offered {
			for _, line := range m.snapshots(t, from) {
				name, guid, _ := strings.Cut(line, " ")
				deferred, _ := m.sim("zfs", "get", "-H", "-o", "value", "defer_destroy", from+name)
				if strings.HasPrefix(name, "@a_") && deferred != "on\n" {
					newest = guid
				}
			}
		}
		held := false
		there := m.versions(t, to)
		for _, v := range there {
			held = held || v.snapshot != "" && slices.Contains(m.holds(t, v.snapshot), j.last)
		}
		if newest == "" && held && len(m.snapshots(t, from)) == 0 {
			t.Errorf("%s: exit status 0, and %s, which it received, has no source any more\n%s", j.name, to, talk)
		}
		if newest != "" && there[newest].snapshot == "" {
			t.Errorf("%s: exit status 0, and %s lacks the newest snapshot of %s, %s; it has %q\n%s", j.name, to, from, newest, m.snapshots(t, to), talk)
		}
	}
}

// putRight is what a person does at the end: it undoes what stands in the way
// of each job, which then does all.
func (m *mixed) putRight(t *testing.T) {
	_, cursor, _ := strings.Cut(m.scenario.spec, " ")
	m.out, m.scenario.spec = "", " "+cursor
	m.heal(t)
	m.must(t, "zfs", "snapshot", "-r", "src/h@a_last")
	for _, j := range pairings {
		var o outcome
		for range 4 {
			m.runs++
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
		m.complete(t, j, o.talk)
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
		out, _ := m.sim("zfs", "list", "-H", "-r", "-t", "snapshot", "-o", "name", to)
		for name := range strings.FieldsSeq(out) {
			tags, _ := m.sim("zfs", "holds", "-H", name)
			for line := range strings.Lines(tags) {
				m.sim("zfs", "release", strings.Split(line, "\t")[1], name)
			}
		}
		m.sim("zfs", "receive", "-A", to)
		m.sim("zfs", "destroy", "-r", to)
	}
}
