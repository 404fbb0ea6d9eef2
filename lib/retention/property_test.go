package retention

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// rounds is how many random cases a property is tried on.
func rounds(t *testing.T) int {
	if os.Getenv("ZT_HEAVY") != "" {
		return 200_000
	}
	return 10_000
}

func randomGrid(t *testing.T, r *rand.Rand) refRule {
	var texts []string
	rule := refRule{kind: "grid"}
	end, length, all := int64(0), int64(0), true
	for range 1 + r.IntN(4) {
		if all && r.IntN(3) == 0 {
			length = 0 // may become shorter again
		}
		length = max(length, 1) + r.Int64N(40)*r.Int64N(3)
		iv := Interval{Count: 1 + r.Int64N(6), Length: length, Keep: 1 + r.Int64N(3)}
		text := fmt.Sprintf("%dx%ds", iv.Count, iv.Length)
		if r.IntN(4) == 0 {
			iv.Keep = math.MaxInt64
			text += "(keep=all)"
		} else if iv.Keep > 1 || r.IntN(2) == 0 {
			text += fmt.Sprintf("(keep=%d)", iv.Keep)
		}
		all = all && iv.Keep == math.MaxInt64
		texts = append(texts, text)
		for range iv.Count {
			rule.buckets = append(rule.buckets, refBucket{end, end + iv.Length, iv.Keep})
			end += iv.Length
		}
	}
	g, err := ParseGrid(strings.Join(texts, " | "))
	if err != nil {
		t.Fatal(err)
	}
	rule.asParsed = g
	return rule
}

func randomRule(t *testing.T, r *rand.Rand) refRule {
	var rule refRule
	var err error
	switch r.IntN(6) {
	case 0:
		rule = refRule{kind: "last_n", n: 1 + r.IntN(12)}
		rule.asParsed, err = LastN(int64(rule.n))
	case 1:
		rule = refRule{kind: "regex", word: []string{"1", "z_2", "other", ""}[r.IntN(4)], negate: r.IntN(2) == 0}
		rule.asParsed, err = Regex(rule.word, rule.negate)
	case 2:
		rule = refRule{kind: "not_replicated", asParsed: NotReplicated()}
	default:
		rule = randomGrid(t, r)
	}
	if err == nil && rule.isCounting() && r.IntN(3) == 0 {
		rule.among = []string{"1", "z_", "_2", "r_"}[r.IntN(4)]
		rule.asParsed, err = Among(rule.asParsed, rule.among)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// randomSnapshots has equal times, clocks that step back and forth, foreign
// names, holds, clones and bases.
func randomSnapshots(r *rand.Rand) []Snapshot {
	snaps := make([]Snapshot, r.IntN(50))
	now := int64(10_000)
	spread := 1 + r.Int64N(30)
	rare := func() bool { return r.IntN(15) == 0 }
	for i := range snaps {
		now += r.Int64N(spread)
		if rare() {
			now = max(0, now+r.Int64N(600)-400)
		}
		prefix := "z_"
		if r.IntN(6) == 0 {
			prefix = "other_"
		}
		snaps[i] = Snapshot{Name: fmt.Sprintf("%s%d", prefix, i), Creation: now, CreateTXG: uint64(100 + i/(1+r.IntN(3))),
			Held: rare(), Origin: rare(), Protected: rare(), Replicated: r.IntN(2) == 0}
	}
	r.Shuffle(len(snaps), func(i, j int) { snaps[i], snaps[j] = snaps[j], snaps[i] })
	return snaps
}

type trial struct {
	rules  []refRule
	policy *Policy
	snaps  []Snapshot
	o      Options
}

func randomTrial(t *testing.T, r *rand.Rand) trial {
	c := trial{snaps: randomSnapshots(r), o: Options{Prefix: []string{"z_", "z_", ""}[r.IntN(3)]}}
	var rules []Rule
	for range r.IntN(4) {
		rule := randomRule(t, r)
		c.rules = append(c.rules, rule)
		rules = append(rules, rule.asParsed)
	}
	c.policy = New(rules...)
	if r.IntN(5) == 0 {
		anchor := 9_000 + r.Int64N(2_000)
		c.o.Anchor = &anchor
	}
	return c
}

func TestAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	judged, gone := 0, 0
	for round := range rounds(t) {
		c := randomTrial(t, r)
		for i, v := range c.policy.Apply(c.snaps, c.o) {
			want := refDestroys(c.rules, c.snaps, i, c.o.Prefix, c.o.Anchor)
			if v.Destroy != want {
				t.Fatalf("round %d, policy %v, %+v of %+v: destroy is %v (%s), the reference says %v",
					round, c.policy, c.snaps[i], c.snaps, v.Destroy, v.Rule, want)
			}
			if v.Rule == "" {
				t.Fatalf("round %d: no rule decided on %+v", round, c.snaps[i])
			}
			judged++
			if v.Destroy {
				gone++
			}
		}
	}
	t.Logf("%d policies and sets, %d snapshots judged, %d go", rounds(t), judged, gone)
	if gone < judged/20 || gone > judged*19/20 {
		t.Errorf("%d of %d go: the trials are one-sided", gone, judged)
	}
}

func (c trial) stay() []Snapshot {
	var stay []Snapshot
	for i, v := range c.policy.Apply(c.snaps, c.o) {
		if !v.Destroy {
			stay = append(stay, c.snaps[i])
		}
	}
	return stay
}

// newest returns the newest snapshot with the prefix, nil if there is none.
func newest(snaps []Snapshot, prefix string) (n *Snapshot) {
	for i := range snaps {
		if s := &snaps[i]; strings.HasPrefix(s.Name, prefix) && (n == nil || Compare(n, s) < 0) {
			n = s
		}
	}
	return n
}

func TestInvariants(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for round := range rounds(t) {
		c := randomTrial(t, r)
		verdicts := c.policy.Apply(c.snaps, c.o)
		newest := newest(c.snaps, c.o.Prefix)
		for i, v := range verdicts {
			s := &c.snaps[i]
			kept := s == newest || s.Held || s.Origin || s.Protected || !strings.HasPrefix(s.Name, c.o.Prefix)
			if v.Destroy && kept {
				t.Fatalf("round %d, %v: %+v goes", round, c.policy, *s)
			}
			if v.Spared && v.Destroy {
				t.Fatalf("round %d: spared and destroyed: %+v", round, *s)
			}
		}
		stay := c.stay()
		again := c
		again.snaps = stay
		if twice := again.stay(); !slices.Equal(twice, stay) {
			t.Fatalf("round %d, %v: pruned twice is not pruned once:\n%+v\n%+v", round, c.policy, twice, stay)
		}
		if len(c.policy.rules) > 0 {
			more := c
			more.policy = New(append(slices.Clone(c.policy.rules), randomRule(t, r).asParsed)...)
			for i, v := range more.policy.Apply(c.snaps, c.o) {
				if v.Destroy && !verdicts[i].Destroy && c.policy.counted()(c.snaps[i].Name) {
					t.Fatalf("round %d: with one rule more (%v) %+v goes", round, more.policy, c.snaps[i])
				}
			}
		}
		r.Shuffle(len(c.snaps), func(i, j int) { c.snaps[i], c.snaps[j] = c.snaps[j], c.snaps[i] })
		shuffled := c.stay()
		slices.SortFunc(shuffled, func(a, b Snapshot) int { return strings.Compare(a.Name, b.Name) })
		slices.SortFunc(stay, func(a, b Snapshot) int { return strings.Compare(a.Name, b.Name) })
		if !slices.Equal(shuffled, stay) {
			t.Fatalf("round %d, %v: the order of the input matters", round, c.policy)
		}
	}
}
