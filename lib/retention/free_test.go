package retention

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestParseFree(t *testing.T) {
	const giga = 1 << 30
	for _, c := range []struct {
		text  string
		space Space
		short bool
	}{
		{"10%", Space{Free: 10, Total: 100}, false}, {"10%", Space{Free: 9, Total: 100}, true}, {"10%", Space{Free: 99, Total: 1000}, true},
		{"1%", Space{Free: 0, Total: 1}, true}, {"99%", Space{Free: 1, Total: 1}, false},
		{"99%", Space{Free: math.MaxUint64, Total: math.MaxUint64}, false}, {"50%", Space{Free: math.MaxUint64/2 - 1, Total: math.MaxUint64}, true},
		{"1", Space{Free: 0, Total: giga}, true}, {"1", Space{Free: 1, Total: giga}, false},
		{"3K", Space{Free: 3071}, true}, {"3K", Space{Free: 3072}, false}, {"2G", Space{Free: 2*giga - 1}, true}, {"2G", Space{Free: 2 * giga}, false},
		{"1T", Space{Free: 1023 * giga}, true}, {"1P", Space{Free: 1023 * 1024 * giga}, true}, {"16383P", Space{Free: math.MaxUint64}, false},
	} {
		rule, err := ParseFree(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if short := rule.(free).short(c.space); short != c.short {
			t.Errorf("%s of %+v: short is %v", c.text, c.space, short)
		}
	}
	for text, want := range map[string]string{
		"":       `free space "": at its end: a size must be a whole number`,
		"0":      `free space "0": byte 1: a size must be at least 1`,
		"100%":   `free space "100%": byte 1: a part must be from 1% to 99%`,
		"10 %":   `free space "10 %": byte 3: " %" does not belong here: a size is such as 10% or 500G`,
		"5g":     `free space "5g": byte 2: "g" does not belong here: a size is such as 10% or 500G`,
		"5GB":    `free space "5GB": byte 3: "B" does not belong here: a size is such as 10% or 500G`,
		"1.5G":   `free space "1.5G": byte 2: ".5G" does not belong here: a size is such as 10% or 500G`,
		"16384P": `free space "16384P": byte 1: a size of 16384P is too large`,
	} {
		_, err := ParseFree(text)
		var e *Error
		if !errors.As(err, &e) || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func freeBelow(t testing.TB, text string) Rule {
	t.Helper()
	rule, err := ParseFree(text)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// With a rule free, a policy destroys what it would destroy without if space is
// short, and nothing otherwise, wherever in the list the rule is.
func TestFreeOnlyWaits(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 31))
	rule := freeBelow(t, "10%")
	short, plenty := &Space{Free: 9, Total: 100}, &Space{Free: 10, Total: 100}
	gone, waiting := 0, 0
	for round := range rounds(t) / 10 {
		c := randomTrial(t, r)
		with := New(slices.Insert(slices.Clone(c.policy.rules), r.IntN(len(c.policy.rules)+1), rule)...)
		for _, space := range []*Space{nil, plenty} {
			o := c.o
			o.Space = space
			for i, v := range with.Apply(c.snaps, o) {
				if v.Destroy {
					t.Fatalf("round %d, %v, space %+v: %+v goes", round, with, space, c.snaps[i])
				}
				if v.Rule == "free below=10%" || v.Rule == "free space unknown" {
					waiting++
				}
			}
		}
		o := c.o
		o.Space = short
		alone := c.policy.Apply(c.snaps, c.o)
		for i, v := range with.Apply(c.snaps, o) {
			if v.Destroy != alone[i].Destroy || v.Spared != alone[i].Spared {
				t.Fatalf("round %d, %v: %+v: %+v, and %+v without the rule", round, with, c.snaps[i], v, alone[i])
			}
			if v.Destroy {
				gone++
			}
		}
	}
	if gone == 0 || waiting != 2*gone {
		t.Errorf("%d go, %d wait", gone, waiting)
	}
}

// Alone it destroys nothing, and is an error of the policy.
func TestFreeAlone(t *testing.T) {
	rule := freeBelow(t, "10%")
	snaps := []Snapshot{{Name: "a", Creation: 1}, {Name: "b", Creation: 2}, {Name: "c", Creation: 3}}
	p := New(rule, rule)
	for i, v := range p.Apply(snaps, Options{Space: &Space{Free: 0, Total: 1}}) {
		if v.Destroy || v.Rule != "no rules" && v.Rule != "newest" {
			t.Errorf("%s: %+v", snaps[i].Name, v)
		}
	}
	if p.Check() == nil || New().Check() != nil {
		t.Error("not an error, or an empty policy is one")
	}
	last, err := LastN(1)
	if err != nil {
		t.Fatal(err)
	}
	if p := New(rule, last); p.Check() != nil || !p.NeedsSpace() || New(last).NeedsSpace() {
		t.Error("a policy that decides")
	}
}

// A simulated life is one of a pool that is always short.
func TestSimulateShort(t *testing.T) {
	last, err := LastN(3)
	if err != nil {
		t.Fatal(err)
	}
	s := Simulation{Every: 60, For: 6000, End: 1_790_000_000, Name: func(int64) string { return "z" }}
	held, err := s.Run(t.Context(), New(last, freeBelow(t, "1")))
	if err != nil || len(held) != 3 {
		t.Errorf("%d are left, %v", len(held), err)
	}
}
