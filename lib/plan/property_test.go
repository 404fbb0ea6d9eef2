package plan

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// histories is how many random histories the properties look at.
func histories() int {
	if os.Getenv("ZT_HEAVY") != "" {
		return 200000
	}
	return 10000
}

// mutate does something at random to one side.
func mutate(w *world, m *model) {
	pick := func() int { return w.rng.IntN(len(m.snaps)) }
	switch op := w.rng.IntN(12); {
	case op < 3:
		m.write(w)
	case op < 7:
		m.snapshot(w, fmt.Sprintf("%c_%d", 'a'+w.rng.IntN(5)/4, w.rng.IntN(30)))
	case len(m.snaps) == 0:
	case op == 7:
		m.destroy(pick())
	case op == 8:
		m.bookmark(pick())
	case op == 9:
		i, name := pick(), fmt.Sprintf("a_%d", w.rng.IntN(30))
		if m.find(name) < 0 {
			m.snaps[i].v.Name = name
		}
	case op == 10:
		if w.rng.IntN(3) == 0 {
			m.rollback(pick())
		}
	case op == 11:
		if i := pick(); w.rng.IntN(4) == 0 {
			m.bookmark(i)
			m.destroy(i)
		} else if w.rng.IntN(4) == 0 && m.deferred != nil {
			m.deferred[m.snaps[i].v.GUID] = true
		}
	}
}

func randomPolicy(rng *rand.Rand) Policy {
	p := Policy{
		Initial: []Initial{MostRecent, "", Every, Every, Refuse}[rng.IntN(5)],
		Prefix:  []string{"", "", "a_"}[rng.IntN(3)],
		Merge:   rng.IntN(2) == 0,
	}
	if rng.IntN(2) == 0 {
		p.Rules = someRules[rng.IntN(len(someRules))].rules
	}
	return p
}

type tally map[string]int

func (t tally) String() string {
	var out []string
	for k, n := range t {
		out = append(out, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// TestRandomHistories lets both sides live at random, with a replication now
// and then that may be cut, and holds every plan against the reference and
// every outcome against what was promised.
func TestRandomHistories(t *testing.T) {
	seen := tally{}
	plans := 0
	for seed := range histories() {
		w := &world{rng: rand.New(rand.NewPCG(uint64(seed), 5))}
		src := &model{txg: 100, encrypted: w.rng.IntN(8) == 0, deferred: map[dataset.GUID]bool{}}
		dst := randomTarget(w)
		p := randomPolicy(w.rng)
		for range 1 + w.rng.IntN(5) {
			for range w.rng.IntN(10) {
				mutate(w, src)
			}
			if dst != nil && !dst.fresh && !dst.holder {
				for range max(0, w.rng.IntN(8)-5) {
					mutate(w, dst)
				}
			}
			if dst != nil && len(dst.snaps) > 0 && w.rng.IntN(10) == 0 {
				dst.encrypted = false // it was received as plain text
			}
			if w.rng.IntN(4) == 0 {
				p.Rules = someRules[w.rng.IntN(len(someRules))].rules
			}
			dst = replicate(t, w, src, dst, p, seen)
			plans++
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
	t.Logf("%d histories, %d plans: %v", histories(), plans, seen)
	for _, kind := range []string{"full", "incremental", "resume", "compound", "discard", "onto-foreign", "uptodate", "no-snapshots", "none-chosen", "none-wanted",
		"initial-refused", "passed-over", "resumed-older", "unrelated", "diverged", "modified", "name-taken", "placeholder-encrypted", "options"} {
		if seen[kind] == 0 {
			t.Errorf("no history led to %s: the test proves less than it should", kind)
		}
	}
}

func randomTarget(w *world) *model {
	switch w.rng.IntN(10) {
	case 0:
		return &model{txg: 7, holder: true, encrypted: w.rng.IntN(3) == 0}
	case 1:
		m := &model{txg: 7}
		mutate(w, m)
		return m
	}
	return nil
}

// replicate is one run, checked from all sides.
func replicate(t *testing.T, w *world, src, dst *model, p Policy, seen tally) *model {
	in := input(src, dst)
	r := One(in, p)
	if got, want := lines(r), reference(in, p); !slices.Equal(got, want) {
		t.Errorf("policy %+v, sender %v, receiver %+v: the plan is %q, the reference's %q", p, in.Sender, in.Receiver, got, want)
		return dst
	}
	count(seen, in, r)
	if r.Conflict != nil && r.Conflict.Reason == NoneChosen && r.Discard != "" {
		dst = abort(dst)
		if again := One(input(src, dst), p); again.Discard != "" || !slices.Equal(lines(again), lines(r)) {
			t.Errorf("after throwing the partial receive away: %q, before: %q", lines(again), lines(r))
		}
		return dst
	}
	if r.Conflict != nil {
		checkImpossible(t, src, dst, r, p)
		return dst
	}
	if r.Discard != "" {
		dst = abort(dst)
		if again := One(input(src, dst), p); again.Discard != "" || !slices.Equal(lines(again), lines(r)) {
			t.Errorf("after throwing the partial receive away: %q, before: %q", lines(again), lines(r))
		} else {
			r = again
		}
	}
	foreign := 0
	if dst != nil {
		foreign = len(dst.snaps)
	}
	cutAt := -1
	if w.rng.IntN(3) == 0 {
		cutAt = w.rng.IntN(4)
	}
	dst, err := execute(src, dst, r, cutAt)
	if err != nil {
		t.Errorf("policy %+v, sender %v, plan %q: %v", p, in.Sender, lines(r), err)
		return dst
	}
	if dst == nil || dst.partial != nil {
		return dst
	}
	checkCopy(t, src, dst, r, p, foreign)
	if again := One(input(src, dst), p); !again.UpToDate() || again.Discard != "" {
		t.Errorf("after the run there is still: %+v", again)
	}
	return dst
}

func count(seen tally, in Input, r Result) {
	if r.Discard != "" {
		seen["discard"]++
	}
	if _, ok := Needs(in); ok && len(r.Steps) > 0 {
		seen["onto-foreign"]++
	}
	for _, l := range lines(r) {
		kind, _, _ := strings.Cut(l, " ")
		seen[kind]++
	}
	if n := len(r.Steps); n > 0 && strings.Contains(r.Steps[n-1].Reason, "passed over") {
		seen["passed-over"]++
		if n > 1 && r.Steps[0].Kind == Resume {
			seen["resumed-older"]++
		}
	}
	for _, s := range r.Steps {
		if s.Compound() {
			seen["compound"]++
		}
	}
}

// checkCopy: the receiver's snapshots behind the base are the sender's wanted
// ones, all of them, in order, with the same contents.
func checkCopy(t *testing.T, src, dst *model, r Result, p Policy, before int) {
	var want []msnap
	for _, s := range src.snaps {
		later := r.Base != nil && s.v.CreateTXG > r.Base.Sender.CreateTXG || r.Base == nil && s.v.CreateTXG >= r.Steps[0].To.CreateTXG
		if later && refSends(p, s.v.Name) && !src.deferred[s.v.GUID] {
			want = append(want, s)
		}
	}
	if p.Rules != nil && p.Rules.Newest && len(want) > 0 { // and what a cut stream had begun with
		resumed := func(s msnap) bool {
			return len(r.Steps) > 0 && r.Steps[0].Kind == Resume && s.v.GUID == r.Steps[0].To.GUID
		}
		newest := want[len(want)-1].v.GUID
		want = slices.DeleteFunc(want, func(s msnap) bool { return s.v.GUID != newest && !resumed(s) })
	}
	got := dst.snaps[before:]
	same := slices.EqualFunc(got, want, func(a, b msnap) bool {
		return a.v.GUID == b.v.GUID && a.v.Name == b.v.Name && a.content == b.content
	})
	if !same {
		t.Errorf("the receiver got %v, the sender has %v", got, want)
	}
	if len(dst.snaps) > 0 && dst.dirty == 0 && dst.head != dst.snaps[len(dst.snaps)-1].content {
		t.Error("the receiver's contents are not those of its newest snapshot")
	}
}

// checkImpossible: what the plan calls impossible, the model refuses, whatever
// common version it starts from.
func checkImpossible(t *testing.T, src, dst *model, r Result, p Policy) {
	switch r.Conflict.Reason {
	case Unrelated, Diverged, Modified:
	default:
		return
	}
	for _, from := range src.versions() {
		for _, to := range src.snaps {
			streams, err := src.send(&from, to.v, false)
			if err != nil || src.deferred[to.v.GUID] || !refSends(p, to.v.Name) {
				continue
			}
			if receivable(dst, streams[0], false, false) == nil {
				t.Errorf("the plan says %v, and %s to %s would have worked", r.Conflict, from, to.v)
			}
		}
	}
}
