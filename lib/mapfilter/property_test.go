package mapfilter

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// reference decides as the documentation says, by looking at every rule.
func reference(rules []Rule, name string) (result string, by *Rule) {
	best := -1
	for i, r := range rules {
		path, tree := strings.CutSuffix(r.Pattern, "<")
		matches := name == path || tree && (path == "" || strings.HasPrefix(name, path+"/"))
		if !matches {
			continue
		}
		rank := len(path)
		if !tree {
			rank = 1 << 20
		}
		if rank > best {
			best, by = rank, &rules[i]
		}
	}
	if by == nil {
		return "!", nil
	}
	return by.Result, by
}

// referenceMap is where a map puts name, "" for nowhere.
func referenceMap(rules []Rule, name string) string {
	result, by := reference(rules, name)
	if by == nil || result == "!" || result == "ok" {
		return ""
	}
	if by.Pattern == "<" {
		return result + "/" + name
	}
	if path, tree := strings.CutSuffix(by.Pattern, "<"); tree {
		return result + strings.TrimPrefix(name, path)
	}
	return result
}

var parts = []string{"a", "b", "ab", "a b", "c-1"}

func randomName(r *rand.Rand) string {
	name := parts[r.IntN(3)]
	for range r.IntN(4) {
		name += "/" + parts[r.IntN(len(parts))]
	}
	return name
}

func randomRules(r *rand.Rand) []Rule {
	seen := map[string]bool{}
	var rules []Rule
	for range r.IntN(7) {
		pattern := randomName(r) + [2]string{"", "<"}[r.IntN(2)]
		if r.IntN(8) == 0 {
			pattern = "<"
		}
		if seen[pattern] {
			continue
		}
		seen[pattern] = true
		result := [4]string{"!", "ok", randomName(r), "t/" + randomName(r)}[r.IntN(4)]
		rules = append(rules, Rule{Pattern: pattern, Result: result})
	}
	return rules
}

// TestReference holds 10,000 random sets of rules, with 30 names each, to the
// reference: decisions, maps, inversion, overlap, roots, and that printed
// rules read back the same.
func TestReference(t *testing.T) {
	sets := 10_000
	if os.Getenv("ZT_HEAVY") != "" {
		sets *= 20
	}
	r := rand.New(rand.NewPCG(1, 2))
	var decided, mapped, ambiguous, overlapping int
	for range sets {
		rules := randomRules(r)
		rs, err := Parse(rules)
		if err != nil {
			t.Fatal(rules, err)
		}
		var all []string
		for range 30 {
			name := randomName(r)
			all = append(all, name)
			decided++
			result, _ := reference(rules, name)
			if rs.Pass(name) != (result != "!") {
				t.Fatalf("%v: Pass(%q) = %v", rules, name, rs.Pass(name))
			}
			target, ok := rs.Map(name)
			if target != referenceMap(rules, name) || ok != (target != "") {
				t.Fatalf("%v: Map(%q) = %q, want %q", rules, name, target, referenceMap(rules, name))
			}
			if !ok {
				continue
			}
			mapped++
			checkInverse(t, rs, rules, name, target, &ambiguous)
		}
		_, _, overlap := rs.Overlap()
		if overlap {
			overlapping++
		} else {
			checkDistinct(t, rs, all)
		}
		checkRoots(t, rs, all)
		checkPrinted(t, rs)
	}
	t.Logf("%d sets of rules: %d decisions, %d mapped and inverted (%d with several sources), %d sets overlap", sets, decided, mapped, ambiguous, overlapping)
}

// checkInverse: where a target has one source only, it is the one that was
// mapped to it; where it has several, that one is among them and all map
// there.
func checkInverse(t *testing.T, rs *Rules, rules []Rule, name, target string, ambiguous *int) {
	t.Helper()
	sources := rs.Sources(target, 0)
	if !slices.Contains(sources, name) {
		t.Fatalf("%v: %q is no source of %q: %q", rules, name, target, sources)
	}
	for _, s := range sources {
		if referenceMap(rules, s) != target {
			t.Fatalf("%v: %q is called a source of %q", rules, s, target)
		}
	}
	if len(sources) > 1 {
		*ambiguous++
		if _, _, overlap := rs.Overlap(); !overlap {
			t.Fatalf("%v: %q has sources %q, and no overlap", rules, target, sources)
		}
	}
}

// checkDistinct: no two names go to one target.
func checkDistinct(t *testing.T, rs *Rules, all []string) {
	t.Helper()
	from := map[string]string{}
	for _, name := range all {
		target, ok := rs.Map(name)
		if other, twice := from[target]; ok && twice && other != name {
			t.Fatalf("%v: no overlap, but %q and %q go to %q", rs, other, name, target)
		}
		from[target] = name
	}
}

func checkRoots(t *testing.T, rs *Rules, all []string) {
	t.Helper()
	roots, everything := rs.Roots()
	for _, name := range all {
		listed := everything
		for _, root := range roots {
			listed = listed || name == root || strings.HasPrefix(name, root+"/")
		}
		if rs.Pass(name) && !listed {
			t.Fatalf("%v: %q passes but stands under none of %q", rs.All(), name, roots)
		}
	}
}

// checkPrinted reads what the rules print, in both forms.
func checkPrinted(t *testing.T, rs *Rules) {
	t.Helper()
	node, err := yaml.Marshal(rs)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{rs.String(), string(node)} {
		var again yaml.Node
		if err := yaml.Unmarshal([]byte(text), &again); err != nil {
			t.Fatal(text, err)
		}
		back, err := fromYAML(again.Content[0], "", func(*Rules) error { return nil })
		if err != nil {
			t.Fatal(text, err)
		}
		if back.String() != rs.String() {
			t.Fatalf("%q reads as %q", text, back)
		}
	}
}

// TestMany: deciding costs look-ups, not rules. The time for ten thousand
// rules is compared with that for ten in the same run.
func TestMany(t *testing.T) {
	names := make([]string, 20_000)
	for i := range names {
		names[i] = fmt.Sprintf("tank/p%d/q%d/data/n%d", i%10, i%10_000, i)
	}
	cost := func(rs *Rules) time.Duration {
		best := time.Hour
		for range 5 {
			start := time.Now()
			for _, name := range names {
				rs.Map(name)
			}
			best = min(best, time.Since(start)/time.Duration(len(names)))
		}
		return best
	}
	a, b := cost(sample(t, 10)), cost(sample(t, 10_000))
	t.Logf("one name by 10 rules: %v, by 10,000 rules: %v", a, b)
	if b > 20*a+2*time.Microsecond {
		t.Errorf("10,000 rules take %v a name, 10 take %v", b, a)
	}
}

func sample(t *testing.T, n int) *Rules {
	t.Helper()
	var rules []Rule
	for i := range n {
		rules = append(rules, Rule{Pattern: fmt.Sprintf("tank/p%d/q%d<", i%10, i), Result: fmt.Sprintf("backup/x%d", i)})
	}
	rs, err := Parse(rules)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}
