package plan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// clone makes an input of a source that is a clone of ORIGIN@GUID.
func clone(in Input, origin string, guid dataset.GUID) Input {
	in.Origin = &Origin{Source: origin, Version: dataset.Version{Kind: dataset.Snapshot, Name: fmt.Sprintf("g%d", guid), GUID: guid}}
	return in
}

func firstSteps(results []Result) string {
	var all []string
	for _, r := range results {
		switch {
		case r.Conflict != nil:
			all = append(all, r.Target+" "+string(r.Conflict.Reason))
		case len(r.Steps) > 0:
			s := r.Steps[0]
			text := r.Target + " " + string(s.Kind)
			if s.Shares != "" {
				text += " of " + s.Shares
			}
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

func TestShare(t *testing.T) {
	in := func(source, sender string, r *Receiver) Input {
		return Input{Source: source, Target: "p/" + source, Sender: vs(sender), Receiver: r}
	}
	has := func(versions string) *Receiver { return &Receiver{Versions: vs(versions), Copy: true} }
	sealed := func(in Input) Input {
		in.Encrypted, in.Send.Raw = true, true
		return in
	}
	there := func(names string) Lookup { return there("p " + names) }
	encrypted := func(name string) Lookup {
		return func(t string) (Host, bool) { return Host{Encrypted: t == name, KeyLoaded: true}, t == "p" || t == name }
	}
	for _, c := range []struct {
		name, want, why string
		ins             []Input
		there           Lookup
		p               Policy
	}{
		{name: "the origin is there", ins: []Input{in("o", "@a:1", has("@x:1")), clone(in("c", "@b:2", nil), "o", 1)}, want: "p/c clone of p/o@x"},
		{name: "it comes before", ins: []Input{clone(in("c", "@b:2", nil), "o", 1), in("o", "@a:1", nil)}, want: "p/c clone of p/o@a; p/o full"},
		{name: "with an increment", ins: []Input{clone(in("c", "@b:3", nil), "o", 2), in("o", "@a:1 @b:2", has("@a:1"))}, want: "p/c clone of p/o@b; p/o incremental"},
		{name: "a clone of a clone", ins: []Input{clone(in("a", "@c:3", nil), "b", 2), clone(in("b", "@b:2", nil), "c", 1), in("c", "@a:1", nil)},
			want: "p/a clone of p/b@b; p/b clone of p/c@a; p/c full"},
		{name: "the origin's older snapshot", ins: []Input{in("o", "@a:1 @b:2 @c:3", nil), clone(in("c", "@d:4", nil), "o", 2)}, want: "p/c clone of p/o@b; p/o full"},
		{name: "not asked for", p: Policy{Initial: Refuse}, ins: []Input{in("o", "@a:1", has("@x:1")), clone(in("c", "@b:2", nil), "o", 1)}, want: "p/c initial-refused"},
		{name: "it is not sent", p: Policy{Prefix: "z"}, ins: []Input{in("o", "@a:1 @z:2", nil), clone(in("c", "@zb:3", nil), "o", 1)}, want: "p/c full; p/o full", why: `the copy "p/o" does not have that snapshot`},
		{name: "it is gone", ins: []Input{in("o", "@a:1 @b:2", has("@b:2")), clone(in("c", "@d:4", nil), "o", 1)}, want: "p/c full", why: "does not have that snapshot"},
		{name: "none of the job", ins: []Input{clone(in("c", "@b:3", nil), "o", 1)}, want: "p/c full", why: "no copy"},
		{name: "no copy", ins: []Input{in("o", "@a:1", &Receiver{Versions: vs("@x:1")}), clone(in("c", "@b:2", nil), "o", 1)}, want: "p/c full", why: "is not noted as a copy"},
		{name: "another pool", ins: []Input{{Source: "o", Target: "q/o", Sender: vs("@a:1"), Receiver: has("@a:1")}, clone(in("c", "@b:2", nil), "o", 1)}, want: "p/c full", why: "different pools"},
		{name: "encrypted", ins: []Input{sealed(in("o", "@a:1", nil)), clone(sealed(in("c", "@b:2", nil)), "o", 1)}, want: "p/c full; p/o full", why: "encrypted"},
		{name: "the copy is", ins: []Input{in("o", "@a:1", &Receiver{Versions: vs("@a:1"), Copy: true, Encrypted: true}), clone(in("c", "@b:2", nil), "o", 1)}, want: "p/c full", why: `"p/o" is encrypted`},
		{name: "promoted since", ins: []Input{in("o", "@b:2", has("@a:1 @b:2")), in("n", "@a:1 @c:3", has("@c:3")), clone(in("c", "@d:4", nil), "n", 1)}, want: "p/c clone of p/o@a"},
		{name: "promoted since, to another pool", ins: []Input{{Source: "o", Target: "q/o", Sender: vs("@b:2"), Receiver: has("@a:1 @b:2")}, in("n", "@a:1 @c:3", has("@c:3")), clone(in("c", "@d:4", nil), "n", 1)},
			want: "p/c full", why: "does not have that snapshot"},
		{name: "other options", ins: []Input{in("o", "@a:1", &Receiver{Versions: vs("@a:1"), Copy: true, Sent: &dataset.SendOptions{LargeBlocks: true}}), clone(in("c", "@b:2", nil), "o", 1)}, want: "p/c full; p/o options", why: "received with send options"},
		{name: "what is above is", there: encrypted("p"), ins: []Input{in("o", "@a:1", nil), clone(in("c", "@b:2", nil), "o", 1)}, want: "p/c full; p/o full", why: `"p" is encrypted`},
		{name: "the origin cannot come", ins: []Input{in("x", "", &Receiver{}), in("x/o", "@a:1", &Receiver{Versions: vs("@z:9")}), clone(in("c", "@b:2", nil), "x/o", 1)}, there: there("p/x p/x/o"),
			want: "p/c full; p/x no-snapshots; p/x/o unrelated", why: "does not have that snapshot"},
		{name: "nor what is above it", ins: []Input{{Source: "x", Target: "p/x", Sender: vs("@a:1"), Encrypted: true}, in("x/o", "@a:1", nil), clone(in("c", "@b:2", nil), "x/o", 1)},
			want: "p/c full; p/x options; p/x/o parent-failed", why: "cannot be sent"},
		{name: "below its own clone", ins: []Input{clone(in("c", "@b:2", nil), "c/o", 1), in("c/o", "@a:1", nil)}, want: "p/c full; p/c/o full", why: "can only be made after this one"},
		{name: "a clone of itself", ins: []Input{clone(in("c", "@b:2", nil), "c", 2)}, want: "p/c full", why: "deep"},
		{name: "of each other", ins: []Input{clone(in("c", "@b:2", nil), "d", 1), clone(in("d", "@b:1", nil), "c", 2)}, want: "p/c clone of p/d@b; p/d full"},
		{name: "over a placeholder", ins: []Input{in("o", "@a:1", has("@a:1")), clone(in("c", "@b:2", &Receiver{Placeholder: true}), "o", 1)}, there: there("p/c"), want: "p/c full", why: "placeholder"},
		{name: "a part of it", ins: []Input{in("o", "@a:1", has("@a:1")), clone(in("c", "@b:2 @c:3", &Receiver{Partial: &Partial{From: 1, To: 2, Ours: true}}), "o", 1)}, want: "p/c resume of p/o@a"},
		{name: "a part of a full stream", ins: []Input{in("o", "@a:1", has("@a:1")), clone(in("c", "@b:2", &Receiver{Partial: &Partial{To: 2, Ours: true}}), "o", 1)}, want: "p/c resume"},
		{name: "a part of what is of no use", ins: []Input{in("o", "@a:1", has("@a:1")), clone(in("c", "@b:2", &Receiver{Partial: &Partial{From: 1, To: 7, Ours: true}}), "o", 1)}, want: "p/c clone of p/o@a"},
		{name: "a part, and no clone any more", ins: []Input{in("o", "@a:1", has("@a:1")), in("c", "@b:2", &Receiver{Partial: &Partial{From: 1, To: 2, Ours: true}})}, want: "p/c full"},
		{name: "a part, and a clone of another snapshot", ins: []Input{in("o", "@a:1 @b:3", has("@a:1 @b:3")), clone(in("c", "@b:4", &Receiver{Partial: &Partial{From: 1, To: 4, Ours: true}}), "o", 3)}, want: "p/c clone of p/o@b"},
		{name: "a part, and made anew", ins: []Input{in("o", "@a:1", has("@a:1")), in("c", "@b:5", &Receiver{Partial: &Partial{From: 1, To: 2, Of: "c", Name: "b", Ours: true}})}, want: "p/c full"},
		{name: "a part, and encrypted now", ins: []Input{in("o", "@a:1", has("@a:1")), sealed(clone(in("c", "@b:2", &Receiver{Partial: &Partial{From: 1, To: 2, Ours: true}}), "o", 1))}, want: "p/c full"},
		{name: "a part, and the origin is none of the job's", ins: []Input{clone(in("c", "@b:2", &Receiver{Partial: &Partial{From: 1, To: 2, Ours: true}}), "o", 1)}, want: "p/c full", why: "no copy"},
		{name: "a person's part", ins: []Input{in("o", "@a:1", has("@a:1")), in("c", "@b:2", &Receiver{Partial: &Partial{From: 1, To: 2, Foreign: "theirs"}})}, want: "p/c foreign-partial"},
		{name: "increments", ins: []Input{in("o", "@a:1", has("@a:1")), clone(in("c", "@b:2 @c:3", has("@b:2")), "o", 1)}, want: "p/c incremental"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.there == nil {
				c.there = there("")
			}
			c.p.Clones = true
			results := All(c.ins, c.there, c.p)
			if got := firstSteps(results); got != c.want {
				t.Errorf("%s", got)
			}
			var why string
			for _, r := range results {
				for _, s := range r.Steps {
					why += s.Reason + "\n"
				}
			}
			if !strings.Contains(why, c.why) {
				t.Errorf("%s", why)
			}
			c.p.Clones = false
			if got := firstSteps(All(c.ins, c.there, c.p)); strings.Contains(got, " of ") {
				t.Errorf("without being asked: %s", got)
			}
		})
	}
}

// A queue ends whatever is a clone of what, and a clone comes after the snapshot that
// it is made of; if that fails, the clone does not come.
func TestShareOrder(t *testing.T) {
	for seed := range uint64(4000) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		ins := randomFamily(rnd)
		results := All(ins, there("p"), Policy{Clones: true})
		q, have, failed := NewQueue(results), map[string]bool{}, map[int]bool{}
		for i := range ins {
			if ins[i].Receiver != nil {
				have[fmt.Sprint(ins[i].Target, ins[i].Receiver.Versions[0].GUID)] = true
			}
		}
		for {
			i, ok := q.Next()
			if !ok {
				break
			}
			s := q.Step(i)
			if ds, _, _ := dataset.Split(s.Shares); s.Kind == Clone && !have[fmt.Sprint(ds, s.From.GUID)] {
				t.Fatalf("seed %d: %s before its origin: %s", seed, results[i].Target, firstSteps(results))
			}
			if rnd.IntN(12) == 0 {
				failed[i] = true
				for _, below := range q.Fail(i) {
					failed[below] = true
				}
				continue
			}
			for _, v := range s.Brings {
				have[fmt.Sprint(results[i].Target, v.GUID)] = true
			}
			q.Done(i)
		}
		for i, r := range results {
			if last := len(r.Steps) - 1; last >= 0 && r.Steps[last].To != nil && !failed[i] && !have[fmt.Sprint(r.Target, r.Steps[last].To.GUID)] {
				t.Fatalf("seed %d: %s neither came nor failed: %s", seed, r.Target, firstSteps(results))
			}
		}
	}
}

// randomFamily makes datasets of which each may be a clone of any other, also of
// itself, of what stands below it, and of what is a clone of it.
func randomFamily(rnd *rand.Rand) (ins []Input) {
	n := 2 + rnd.IntN(6)
	for i := range n {
		name := fmt.Sprintf("d%d", i)
		if i > 0 && rnd.IntN(2) == 0 {
			name = ins[rnd.IntN(i)].Source + "/" + name
		}
		in := Input{Source: name, Target: "p/" + name, Sender: vs(fmt.Sprintf("@a:%d @b:%d", 10*i+1, 10*i+2))}
		if strings.Count(name, "/") == 0 && rnd.IntN(4) == 0 {
			in.Receiver = &Receiver{Versions: vs(fmt.Sprintf("@a:%d", 10*i+1)), Copy: true}
		}
		ins = append(ins, in)
	}
	for i := range ins {
		if j := rnd.IntN(n); rnd.IntN(3) > 0 {
			ins[i] = clone(ins[i], ins[j].Source, dataset.GUID(10*j+1+rnd.IntN(2)))
		}
	}
	return ins
}
