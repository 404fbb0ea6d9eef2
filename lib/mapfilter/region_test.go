package mapfilter

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestCommon(t *testing.T) {
	for _, test := range []struct{ a, b, want string }{
		{"tank=ok", "tank<=ok", "tank"},
		{"tank=ok", "tank/a<=ok", ""},
		{"tank<=ok", "tank/a<=ok", "tank/a"},
		{"tank<=ok tank/a<=!", "tank/a<=ok", ""},
		{"tank<=ok tank/a=!", "tank/a<=ok", "tank/a<"},
		{"tank<=ok tank/a=!", "tank/a=ok", ""},
		{"<=ok tank<=!", "tank<=ok", ""},
		{"<=ok tank<=!", "<=ok", "<"},
		{"tank/a<=ok", "tank/ab<=ok", ""},
		{"a<=ok b<=ok", "c<=ok b/x=ok", "b/x"},
		{"a<=ok", "", ""},
	} {
		a, b := parse(t, strings.Fields(test.a)...), parse(t, strings.Fields(test.b)...)
		got, _ := Common(a.From(), b.From())
		if Show(got) != test.want {
			t.Errorf("%s and %s: %q, want %q", test.a, test.b, Show(got), test.want)
		}
	}
	for _, test := range []struct{ a, b, want string }{
		{"tank<=s/t", "x<=s", "s/t"},
		{"tank<=s/t", "x=s", ""},
		{"<=s", "x=s", ""},
		{"tank<=s tank/a<=!", "x<=s/a", ""},
		{"tank<=s tank/a=!", "x<=s/a", "s/a<"},
	} {
		a, b := parse(t, strings.Fields(test.a)...), parse(t, strings.Fields(test.b)...)
		got, _ := Common(a.Into(), b.Into())
		if Show(got) != test.want {
			t.Errorf("into %s and %s: %q, want %q", test.a, test.b, Show(got), test.want)
		}
	}
	sink := Below("s/root")
	for rules, want := range map[string]string{"s<=ok": "s/root<", "s/root=ok": "", "s/root/a=ok": "s/root/a"} {
		if got, _ := Common(sink, parse(t, strings.Fields(rules)...).From()); Show(got) != want {
			t.Errorf("below s/root and %s: %q, want %q", rules, Show(got), want)
		}
	}
}

// mixed are random rules, and some of others.
func mixed(r *rand.Rand, others []Rule) []Rule {
	rules := randomRules(r)
	for _, o := range others {
		twice := slices.ContainsFunc(rules, func(have Rule) bool { return have.Pattern == o.Pattern })
		if !twice && r.IntN(3) == 0 {
			rules = append(rules, o)
		}
	}
	return rules
}

// TestCommonRandom holds Common and Meet to what a look at many names finds.
func TestCommonRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	both, met := 0, 0
	for range 3000 {
		rules := randomRules(r)
		a, errA := Parse(rules)
		b, errB := Parse(mixed(r, rules))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		regions := [][2]Region{{a.From(), b.From()}, {a.From(), b.Into()}, {a.Into(), b.Into()}, {a.Into(), Below("t/a")}}
		for i, pair := range regions {
			name, ok := Common(pair[0], pair[1])
			if real := strings.ReplaceAll(name, unnamed, "new"); ok && !(pair[0].holds(real) && pair[1].holds(real)) {
				t.Fatalf("%d: %v and %v: %q is not in both", i, a, b, real)
			}
			for range 40 {
				name := randomName(r)
				if r.IntN(2) == 0 {
					name = "t/" + name
				}
				if !ok && pair[0].holds(name) && pair[1].holds(name) {
					t.Fatalf("%d: %v and %v: %q is in both", i, a, b, name)
				}
			}
			if ok {
				both++
			}
		}
		_, _, ok := Meet(a, b)
		for range 40 {
			name := randomName(r)
			to, mapped := a.Map(name)
			if other, also := b.Map(name); !ok && mapped && also && to == other {
				t.Fatalf("%v and %v map %q to %q", a, b, name, to)
			}
		}
		if ok {
			met++
		}
	}
	if both < 1000 || met < 50 {
		t.Errorf("only %d regions had something in common, and %d maps", both, met)
	}
}

func TestTops(t *testing.T) {
	for rules, want := range map[string]string{
		"tank=ok":                                  "tank",
		"tank<=ok":                                 "tank<",
		"tank=ok tank<=ok":                         "tank<",
		"tank=ok tank/a<=ok":                       "tank tank/a<",
		"tank<=ok tank/a<=! tank/a/b=ok":           "tank<",
		"tank=! tank<=ok":                          "tank<",
		"<=ok tank<=ok tank/a=ok":                  "<",
		"<=! tank/a=ok tank/b=! other/c<=ok c/d=!": "other/c< tank/a",
		"": "",
	} {
		if got := strings.Join(parse(t, strings.Fields(rules)...).Tops(), " "); got != want {
			t.Errorf("%s: %q, want %q", rules, got, want)
		}
	}
}
