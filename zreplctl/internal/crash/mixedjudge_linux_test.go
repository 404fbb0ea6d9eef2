package crash

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

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

// before is what was there before a run.
type before struct {
	common map[string]map[string][]string // of each job
	safe   map[string]map[string]bool
	wanted map[string][]string // by target of the job that runs: guids, oldest first
}

func (m *mixed) before(t *testing.T, j pairing) before {
	b := before{map[string]map[string][]string{}, map[string]map[string]bool{}, map[string][]string{}}
	for _, p := range pairings {
		b.common[p.name] = m.newest(t, p)
		b.safe[p.name] = m.protected(t, p, b.common[p.name])
	}
	for _, ds := range m.datasets {
		if from, to := j.ends(ds); m.offered(j, ds) {
			b.wanted[to] = m.wanted(t, from, j, b.common[j.name][to])
		}
	}
	return b
}

func (j pairing) ends(ds string) (from, to string) {
	below := strings.TrimPrefix(ds, "src/h")
	return j.from + below, j.to + below
}

// offered reports whether a job covers what ds became on its sender.
func (m *mixed) offered(j pairing, ds string) bool {
	from, _ := j.ends(ds)
	return m.exists(from) && (j.name == "second" || m.out == "" || !strings.HasPrefix(ds+"/", "src/h/"+m.out+"/"))
}

// wanted are the guids of the snapshots that a job would send. By rules that have
// changed, it may want some that are older than what both ends have: these never
// come.
func (m *mixed) wanted(t *testing.T, from string, j pairing, common []string) (guids []string) {
	chosen, made := func(name string) bool { return strings.HasPrefix(name, j.prefix) }, map[string]int{}
	after := 0
	if j.chooses() && m.rules != "" {
		chosen = chosenBy[m.rules]
	}
	if j.chooses() {
		for _, line := range m.lines(t, "zfs", "list", "-Hp", "-d", "1", "-t", "snapshot,bookmark", "-o", "guid,createtxg", from) {
			guid, txg, _ := strings.Cut(line, "\t")
			made[guid], _ = strconv.Atoi(txg)
		}
		if len(common) > 0 {
			after = made[common[len(common)-1]]
		}
	}
	for _, line := range m.snapshots(t, from) {
		name, guid, _ := strings.Cut(line, " ")
		deferred, _ := m.sim("zfs", "get", "-H", "-o", "value", "defer_destroy", from+name)
		if chosen(name[1:]) && deferred != "on\n" && made[guid] >= after {
			guids = append(guids, guid)
		}
	}
	if j.chooses() && m.rules == onlyNewest && len(guids) > 1 {
		guids = guids[len(guids)-1:]
	}
	return guids
}

func (m *mixed) judge(t *testing.T, j pairing, b before, o outcome) {
	if o.left != nil {
		t.Errorf("%s: left running %q", j.name, o.left)
	}
	if o.status == 1 && (!strings.Contains(o.talk, "cannot ") || strings.Contains(o.talk, "not everything was replicated")) {
		t.Errorf("%s: exit status 1 without a reason: %s", j.name, o.talk)
	}
	for _, p := range pairings {
		after := m.newest(t, p)
		for to, guids := range b.common[p.name] {
			last := guids[len(guids)-1]
			if p.name != j.name && !b.safe[p.name][to] {
				continue
			}
			if !slices.Contains(after[to], last) && (len(after[to]) == 0 || slices.Contains(guids, after[to][len(after[to])-1])) {
				t.Errorf("a run of %s cut the chain of %s to %s: common were %q, are %q\n%s", j.name, p.name, to, guids, after[to], o.talk)
			}
		}
	}
	if o.status == 0 {
		m.zero++
		m.complete(t, j, b, o.talk)
	}
}

// complete: after exit status 0 each target that the job ever received has the
// snapshots that are wanted of a source that is offered, as far as the policy
// keeps them, and both ends protect the newest common one.
func (m *mixed) complete(t *testing.T, j pairing, b before, talk string) {
	common := m.newest(t, j)
	safe := m.protected(t, j, common)
	for _, ds := range m.datasets {
		from, to := j.ends(ds)
		there := m.versions(t, to)
		held := map[string]bool{} // by guid
		for guid, v := range there {
			held[guid] = v.snapshot != "" && slices.Contains(m.holds(t, v.snapshot), j.last)
		}
		offered := m.offered(j, ds)
		if slices.Contains(slices.Collect(maps.Values(held)), true) && (!offered || len(m.snapshots(t, from)) == 0) {
			t.Errorf("%s: exit status 0, and %s, which it received, has no source any more\n%s", j.name, to, talk)
		}
		if !offered {
			continue
		}
		for _, guid := range due(b.wanted[to], b.common[j.name][to]) {
			if there[guid].snapshot == "" {
				t.Errorf("%s: exit status 0, and %s lacks the snapshot of %s with guid %s; wanted were %q, common %q, it has %q\n%s",
					j.name, to, from, guid, b.wanted[to], b.common[j.name][to], m.snapshots(t, to), talk)
			}
		}
		if guids := common[to]; len(guids) > 0 && len(m.snapshots(t, from)) > 0 && (!safe[to] || !held[guids[len(guids)-1]]) {
			t.Errorf("%s: exit status 0, and the newest common version of %s and %s, %s, is not protected on both sides (sender %v)\n%s",
				j.name, from, to, guids[len(guids)-1], safe[to], talk)
		}
	}
}

// due are the wanted snapshots that a policy of the last two keeps: the newest,
// and the one before it, if that is newer than what both sides had before.
func due(wanted, common []string) []string {
	if len(wanted) < 2 {
		return wanted
	}
	last := wanted[len(wanted)-2:]
	if len(common) == 0 || slices.Index(wanted, common[len(common)-1]) < 0 || slices.Contains(last, common[len(common)-1]) {
		return last[1:]
	}
	return last
}
