package property

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestParseSelector(t *testing.T) {
	for text, want := range map[string]Selector{
		"zreplctl:backup=daily":    {"zreplctl:backup", "daily"},
		"a:b=c=d":                  {"a:b", "c=d"},
		"com.example:x-y_z.1=-":    {"com.example:x-y_z.1", "-"},
		"a:b= two words ":          {"a:b", " two words "},
		"a:b=täglich":              {"a:b", "täglich"},
		"a:b=" + long(MaxSelected): {"a:b", long(MaxSelected)},
	} {
		got, err := ParseSelector(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if again, err := ParseSelector(got.String()); err != nil || again != got {
			t.Errorf("%q reads as %+v, %v", got, again, err)
		}
	}
	for _, bad := range []string{"", "daily", "a:b", "a:b=", "=x", ":=", "backup=daily", "compression=on", "A:b=c", "-a:b=c", "a b:c=d", "a:b\n=c",
		"a:b=c\nd", "a:b=c\td", "a:b=\x1b[2J", "a:b=\x7f", "a:b=\u0085", "a:b=\u202e", "a:b=\u200b", "a:b=\xff", "a:b=" + long(MaxSelected+1),
		long(MaxName) + ":x=y", "zreplctl:placeholder=on", "zreplctl:send=L", "zreplctl:properties=x", "zreplctl:restore=x"} {
		if got, err := ParseSelector(bad); err == nil {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func TestJudge(t *testing.T) {
	s := Selector{"a:b", "x"}
	none := func(string) (Setting, bool) { return Setting{}, false }
	at := func(own Setting) func(string) (Setting, bool) {
		return func(name string) (Setting, bool) { return own, name == "p/q r" }
	}
	for _, c := range []struct {
		own    Setting
		above  func(string) (Setting, bool)
		chosen bool
		why    string // empty: an error
	}{
		{Setting{}, none, false, "not set"},
		{Setting{"x", "local"}, none, true, `"x", set here`},
		{Setting{"X", "local"}, none, false, `"X", set here`},
		{Setting{"x ", "local"}, none, false, `"x ", set here`},
		{Setting{"", "local"}, none, false, `"", set here`},
		{Setting{"-", "local"}, none, false, `"-", set here`},
		{Setting{"x", "received"}, none, false, `"x", received: what a sender sets does not count`},
		{Setting{"x", "inherited from p/q r"}, at(Setting{"x", "local"}), true, `"x", inherited from p/q r`},
		{Setting{"x", "inherited from p/q r"}, at(Setting{"x", "received"}), false, `"x", inherited from p/q r, which received it: what a sender sets does not count`},
		{Setting{"x", "inherited from p/q r"}, at(Setting{"y", "local"}), false, ""},
		{Setting{"x", "inherited from p/q r"}, at(Setting{"x", "inherited from p"}), false, ""},
		{Setting{"x", "inherited from p/q r"}, at(Setting{}), false, ""},
		{Setting{"x", "inherited from p/q r"}, none, false, ""},
		{Setting{"x", "temporary"}, none, false, ""},
		{Setting{"x", "inherited from "}, none, false, ""},
		{Setting{"x", ""}, none, false, ""},
	} {
		got, err := s.Judge(c.own, c.above)
		if got.Chosen != c.chosen || (err != nil) != (c.why == "") || err == nil && got.Why() != c.why {
			t.Errorf("%+v: %v, %q, %v", c.own, got.Chosen, got.Why(), err)
		}
	}
	if _, err := s.Judge(Setting{"x", "inherited from p"}, none); !errors.Is(err, ErrMoved) {
		t.Error(err)
	}
}

// TestJudgeTrees holds Judge to the rule in its simplest form: going up, the
// first dataset that has a value decides, if somebody set it there.
func TestJudgeTrees(t *testing.T) {
	r := rand.New(rand.NewPCG(20, 26))
	type node struct {
		parent   string
		local    string
		received string
	}
	values, counts := []string{"", "", "", "x", "x", "y"}, map[bool]int{}
	s := Selector{"a:b", "x"}
	for range 3000 {
		names, tree := []string{"p"}, map[string]*node{"p": {}}
		for len(names) < 2+r.IntN(10) {
			parent := names[r.IntN(len(names))]
			name := parent + "/" + string(rune('a'+len(names)))
			names, tree[name] = append(names, name), &node{parent: parent}
		}
		for _, n := range tree {
			n.local, n.received = values[r.IntN(len(values))], values[r.IntN(len(values))]
		}
		settings := map[string]Setting{}
		for _, name := range names {
			for at, source := name, "local"; at != ""; at, source = tree[at].parent, "inherited" {
				value, how := tree[at].local, "local"
				if value == "" {
					value, how = tree[at].received, "received"
				}
				if value == "" {
					continue
				}
				if source == "inherited" {
					how = "inherited from " + at
				}
				settings[name] = Setting{value, how}
				break
			}
		}
		for _, name := range names {
			want := false
			for at := name; at != ""; at = tree[at].parent {
				if n := tree[at]; n.local+n.received != "" {
					want = n.local == "x"
					break
				}
			}
			got, err := s.Judge(settings[name], func(name string) (Setting, bool) { own, ok := settings[name]; return own, ok })
			if err != nil || got.Chosen != want {
				t.Fatalf("%s: %+v, %v, want %v: %v", name, got, err, want, settings)
			}
			counts[want]++
		}
	}
	if counts[true] < 1000 || counts[false] < 1000 {
		t.Error(counts)
	}
}
