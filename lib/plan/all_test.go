package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// there makes a Lookup of names; one that ends in ! is encrypted and locked.
func there(names string) Lookup {
	m := map[string]Host{}
	for n := range strings.FieldsSeq(names) {
		name, locked := strings.CutSuffix(n, "!")
		m[name] = Host{Encrypted: locked}
	}
	return func(t string) (Host, bool) { h, ok := m[t]; return h, ok }
}

func TestAll(t *testing.T) {
	in := func(target, sender string, r *Receiver) Input {
		return Input{Source: "s" + target, Target: target, Sender: vs(sender), Receiver: r}
	}
	for _, c := range []struct {
		name string
		ins  []Input
		here string
		p    Policy
		want string
	}{
		{name: "placeholders", ins: []Input{in("p/b/s/a", "@a:1", nil)}, here: "p",
			want: "p/b: placeholder >; p/b/s: placeholder >; p/b/s/a: full >@a"},
		{name: "shared", ins: []Input{in("p/x/b", "@a:1", nil), in("p/x/a", "@a:1", nil)}, here: "p",
			want: "p/x: placeholder >; p/x/a: full >@a; p/x/b: full >@a"},
		{name: "no pool", ins: []Input{in("p/a", "@a:1", nil)}, want: "p/a: no-pool"},
		{name: "no pool, with datasets below", ins: []Input{in("p/a/b", "@a:1", nil), in("p/a", "@a:1", nil), in("p/c/d", "@a:1", nil)},
			want: "p/a: no-pool; p/a/b: no-pool; p/c/d: no-pool"},
		{name: "the pool itself", ins: []Input{in("p", "@a:1", nil)}, want: "p: parent-failed"},
		{name: "parent with nothing to send", ins: []Input{in("p/a", "", nil), in("p/a/b", "@a:1", nil)}, here: "p",
			want: "p/a: no-snapshots; p/a: placeholder >; p/a/b: full >@a"},
		{name: "parent that waits", ins: []Input{in("p/a", "@x:1", nil), in("p/a/b", "@a:1", nil)}, here: "p", p: Policy{Rules: rules("a")},
			want: "p/a: none-chosen; p/a: placeholder >; p/a/b: full >@a"},
		{name: "parent that waits, and a part of what is left out now", ins: []Input{in("p/a", "@x:1", &Receiver{Partial: &Partial{To: 1, Ours: true}}), in("p/a/b", "@a:1", nil)}, here: "p p/a", p: Policy{Rules: rules("a")},
			want: "p/a: none-chosen; p/a: placeholder >; p/a/b: full >@a"},
		{name: "below a locked one, and a part of what is left out now", ins: []Input{in("p/a", "@x:1", &Receiver{Encrypted: true, Partial: &Partial{To: 1, Ours: true}}), in("p/a/b", "@a:1", nil)}, here: "p p/a!", p: Policy{Rules: rules("a")},
			want: "p/a: none-chosen; p/a: placeholder >; p/a/b: full >@a"},
		{name: "parent that waits, and a part of what is left out now, and nothing known above", ins: []Input{in("p/a", "@x:1", &Receiver{Partial: &Partial{To: 1, Ours: true}}), in("p/a/b/c", "@a:1", nil), in("p/a/c", "@a:1", nil)}, here: "p/a", p: Policy{Rules: rules("a")},
			want: "p/a: none-chosen; p/a: placeholder >; p/a/b: placeholder >; p/a/b/c: full >@a; p/a/c: full >@a"},
		{name: "parent that waits, and somebody's part", ins: []Input{in("p/a", "@x:1", &Receiver{Partial: &Partial{To: 1}}), in("p/a/b", "@a:1", nil)}, here: "p p/a", p: Policy{Rules: rules("a")},
			want: "p/a: none-chosen; p/a/b: parent-failed"},
		{name: "nothing chosen, and no pool", ins: []Input{in("p/a", "@x:1", nil), in("p/a/b", "@a:1", nil), in("q", "@x:1", nil), in("r/a/b", "@x:1", nil)}, here: "r", p: Policy{Rules: rules("a")},
			want: "p/a: no-pool; p/a/b: no-pool; q: no-pool; r/a/b: none-chosen"},
		{name: "parent in conflict, and there", ins: []Input{in("p/a", "@a:1", &Receiver{Versions: vs("@x:9")}), in("p/a/b", "@a:1", nil)}, here: "p p/a",
			want: "p/a: unrelated; p/a/b: full >@a"},
		{name: "parent in conflict, not there", ins: []Input{in("p/a/b/c", "@a:1", nil), in("p/a/b", "@a:1", nil),
			{Source: "e", Target: "p/a", Sender: vs("@a:1"), Encrypted: true}}, here: "p",
			want: "p/a: options; p/a/b: parent-failed; p/a/b/c: parent-failed"},
		{name: "useless partial parent", ins: []Input{in("p/a", "@b:2", &Receiver{Partial: &Partial{To: 1}, Children: true}), in("p/a/b", "@a:1", nil)}, here: "p p/a",
			want: "p/a: partial-parent; p/a/b: parent-failed"},
		{name: "partial parent without source snapshots", ins: []Input{in("p/a", "", &Receiver{Partial: &Partial{To: 1}}), in("p/a/b", "@a:1", nil)}, here: "p p/a",
			want: "p/a: no-snapshots; p/a/b: parent-failed"},
		{name: "locked parent", ins: []Input{in("p/e/x/a", "@a:1", nil), in("p/f/a", "@a:1", nil)}, here: "p p/e!",
			want: "p/e/x/a: placeholder-encrypted; p/f: placeholder >; p/f/a: full >@a"},
		{name: "locked parent, allowed", ins: []Input{in("p/e/x/y/a", "@a:1", nil)}, here: "p p/e!", p: Policy{PlainPlaceholders: true},
			want: "p/e/x: placeholder* >; p/e/x/y: placeholder >; p/e/x/y/a: full >@a"},
		{name: "partial, and nothing known above", ins: []Input{in("p/a", "@a:1", &Receiver{Partial: &Partial{To: 1}}), in("p/a/b", "@a:1", nil)}, here: "p/a",
			want: "p/a: resume >@a; p/a/b: full >@a"},
		{name: "plain, below a locked one", ins: []Input{in("p/e/a", "@a:1", nil), in("p/e/a/b", "@a:1", nil), in("p/f", "@a:1", nil)}, here: "p p/e!",
			want: "p/e/a: key-not-loaded; p/e/a/b: parent-failed; p/f: full >@a"},
		{name: "raw, below a locked one", ins: []Input{{Source: "e", Target: "p/e/a", Sender: vs("@a:1"), Encrypted: true, Send: dataset.SendOptions{Raw: true}},
			in("p/e/a/b", "@a:1", nil)}, here: "p p/e!", want: "p/e/a: full >@a; p/e/a/b: key-not-loaded"},
		{name: "plain, a partial one below a locked one", ins: []Input{in("p/e/a", "@a:1", &Receiver{Partial: &Partial{To: 1}})}, here: "p p/e! p/e/a!",
			want: "p/e/a: key-not-loaded"},
		{name: "below what comes raw", ins: []Input{in("p/e/x/a", "@a:1", nil),
			{Source: "e", Target: "p/e", Sender: vs("@a:1"), Encrypted: true, Send: dataset.SendOptions{Raw: true}}}, here: "p",
			want: "p/e: full >@a; p/e/x/a: placeholder-encrypted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, r := range All(c.ins, there(c.here), c.p) {
				b := brief(r)
				if len(r.Steps) > 0 && r.Steps[0].EncryptionOff {
					b = strings.Replace(b, "placeholder", "placeholder*", 1)
				}
				got = append(got, r.Target+": "+b)
			}
			if g := strings.Join(got, "; "); g != c.want {
				t.Errorf("got  %s\nwant %s", g, c.want)
			}
		})
	}
}

// A copy that is gone is a person's to judge: what is left of the stream that was
// to replace it stays, and nothing is told to become of it.
func TestEmptiedPartial(t *testing.T) {
	of := func(target, sender string, r *Receiver) Input {
		return Input{Source: "s" + target, Target: target, Sender: vs(sender), Receiver: r}
	}
	ins := []Input{of("p/a", "@x:1", &Receiver{Partial: &Partial{To: 1, Ours: true}}), of("p/a/b/c", "@a:1", nil), of("p/ab", "@a:1", nil)}
	results := All(ins, there("p p/a"), Policy{Rules: rules("a")})
	waiting := &results[0]
	if !strings.HasSuffix(waiting.Says(), "; the partial receive is discarded: it is of @x, which the job no longer sends") {
		t.Errorf("%q", waiting.Says())
	}
	if stuck := waiting.Emptied(); !stuck || waiting.Discard != "" || strings.Contains(waiting.Says(), "discarded") {
		t.Errorf("stuck: %v; %q %q", stuck, waiting.Discard, waiting.Says())
	}
	var got []string
	for _, r := range Block(results, "p/a", NotOffered) {
		got = append(got, r.Target+": "+brief(r))
	}
	if want := "p/a: not-offered; p/a/b/c: parent-failed; p/ab: full >@a"; strings.Join(got, "; ") != want {
		t.Errorf("%q, want %s", got, want)
	}
}

// forestRun is a random set of targets on a receiver that has some of them.
type forestRun struct {
	rng     *rand.Rand
	exists  map[string]bool
	results []Result
}

func newForestRun(seed uint64) *forestRun {
	f := &forestRun{rng: rand.New(rand.NewPCG(seed, 9)), exists: map[string]bool{"p": true}}
	var ins []Input
	used := map[string]bool{}
	for range 1 + f.rng.IntN(12) {
		target := "p"
		for range 1 + f.rng.IntN(4) {
			target += fmt.Sprintf("/%c", 'a'+f.rng.IntN(3))
		}
		if used[target] {
			continue
		}
		used[target] = true
		in := Input{Source: "s/" + target, Target: target, Sender: vs("@a:1 @b:2 @c:3")[:1+f.rng.IntN(3)]}
		for i := range in.Sender {
			in.Sender[i].CreateTXG = uint64(10*i + 1 + f.rng.IntN(9))
		}
		if f.rng.IntN(10) == 0 {
			in.Sender = nil
		}
		ins = append(ins, in)
	}
	for i := range ins { // some exist, and then what is above them
		if f.rng.IntN(4) == 0 {
			for p := ins[i].Target; p != ""; p = dataset.Parent(p) {
				f.exists[p] = true
			}
		}
	}
	for i := range ins {
		if f.exists[ins[i].Target] {
			ins[i].Receiver = &Receiver{Versions: vs([]string{"@a:1", "@x:9"}[f.rng.IntN(2)])}
		}
	}
	look := func(t string) (Host, bool) { return Host{}, f.exists[t] }
	f.results = All(ins, look, Policy{Initial: []Initial{MostRecent, Every}[f.rng.IntN(2)]})
	return f
}

// TestQueue runs random forests with some steps failing, several at a time:
// nothing starts before what is above it exists, and in the end everything is
// done, or failed, or below a failure.
func TestQueue(t *testing.T) {
	runs, failures, waits := 0, 0, 0
	for seed := range uint64(histories() / 3) {
		f := newForestRun(seed)
		q := NewQueue(f.results)
		left, out := map[int]int{}, map[int]bool{}
		for i, r := range f.results {
			if len(r.Steps) > 0 {
				left[i] = len(r.Steps)
			}
		}
		var busy []int
		for q.open > 0 || len(busy) > 0 {
			for len(busy) < 3 {
				i, ok := q.Next()
				if !ok {
					waits++
					break
				}
				if parent := dataset.Parent(f.results[i].Target); !f.exists[parent] {
					t.Fatalf("seed %d: %s starts before %s exists", seed, f.results[i].Target, parent)
				}
				if slices.Contains(busy, i) || out[i] {
					t.Fatalf("seed %d: %s handed out twice, or after it failed", seed, f.results[i].Target)
				}
				busy = append(busy, i)
			}
			if len(busy) == 0 {
				t.Fatalf("seed %d: stuck with %d left", seed, len(left))
			}
			at := f.rng.IntN(len(busy))
			i := busy[at]
			busy = slices.Delete(busy, at, at+1)
			if f.rng.IntN(8) == 0 {
				failures++
				delete(left, i)
				out[i] = true
				for _, c := range q.Fail(i) {
					if !dataset.Within(f.results[c].Target, f.results[i].Target) || left[c] == 0 && !out[c] {
						t.Fatalf("seed %d: %s fell with %s", seed, f.results[c].Target, f.results[i].Target)
					}
					delete(left, c)
					out[c] = true
				}
				continue
			}
			if out[i] { // its parent failed meanwhile
				continue
			}
			f.exists[f.results[i].Target] = true
			q.Done(i)
			if left[i]--; left[i] == 0 {
				delete(left, i)
			}
		}
		if len(left) > 0 {
			t.Fatalf("seed %d: left undone: %v", seed, left)
		}
		runs++
	}
	t.Logf("%d forests, %d failures, %d times something had to wait", runs, failures, waits)
}

func TestQueueOrder(t *testing.T) {
	results := []Result{
		{Target: "p/a", Steps: []Step{inc(50), inc(60)}},
		{Target: "p/b", Steps: []Step{inc(20), inc(55)}},
		{Target: "p/c", Steps: []Step{{Kind: Placeholder}}},
		{Target: "p/c/d", Steps: []Step{inc(10)}},
	}
	q := NewQueue(results)
	var got []string
	for q.open > 0 {
		i, ok := q.Next()
		if !ok {
			t.Fatal("stuck")
		}
		got = append(got, results[i].Target)
		q.Done(i)
	}
	if g := strings.Join(got, " "); g != "p/c p/c/d p/b p/a p/b p/a" {
		t.Error(g)
	}
}

func inc(txg uint64) Step {
	v := dataset.Version{Kind: dataset.Snapshot, Name: "x", GUID: 1, CreateTXG: txg}
	return Step{Kind: Incremental, From: &v, To: &v, Brings: []dataset.Version{v}}
}
