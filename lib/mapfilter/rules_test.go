package mapfilter

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// parse reads "pattern=result" words.
func parse(t *testing.T, words ...string) *Rules {
	t.Helper()
	rs, err := Parse(split(words))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func split(words []string) []Rule {
	var rules []Rule
	for _, w := range words {
		pattern, result, _ := strings.Cut(w, "=")
		rules = append(rules, Rule{Pattern: pattern, Result: result})
	}
	return rules
}

func TestPass(t *testing.T) {
	for _, test := range []struct {
		rules string
		pass  string
		not   string
	}{
		{"<=ok", "tank tank/a tank/a/b other", ""},
		{"tank<=ok", "tank tank/a", "tanks tan other tank2/a"},
		{"tank=ok", "tank", "tank/a other"},
		{"a/b<=ok", "a/b a/b/c", "a a/bc a/bc/d"},
		{"tank<=ok tank/a=!", "tank tank/a/b tank/b", "tank/a"},
		{"tank<=ok tank/a<=!", "tank tank/b", "tank/a tank/a/b"},
		{"tank<=! tank/a<=ok tank/a/b=omit", "tank/a tank/a/c tank/a/b/c", "tank tank/b tank/a/b"},
		{"tank/a/b<=OK tank/a<=OMIT tank<=Ok", "tank tank/a/b tank/a/b/c tank/b", "tank/a tank/a/c"},
		{"<=! tank=ok", "tank", "other tank/a"},
		{"tank<=backup/x", "tank tank/a", "other"},
		{"a b/c d<=ok", "a b/c d a b/c d/e", "a b"},
		{"", "", "tank"},
	} {
		rs := parse(t, fields(test.rules)...)
		for _, name := range names(test.pass) {
			if !rs.Pass(name) {
				t.Errorf("%s: %q does not pass", test.rules, name)
			}
		}
		for _, name := range names(test.not) {
			if rs.Pass(name) {
				t.Errorf("%s: %q passes", test.rules, name)
			}
		}
	}
}

// fields and names split at spaces, but leave those of the one test alone
// whose names hold some.
func fields(text string) []string {
	if strings.HasPrefix(text, "a b/") {
		return []string{text}
	}
	return strings.Fields(text)
}

func names(text string) []string {
	if strings.HasPrefix(text, "a b/c d ") {
		return []string{"a b/c d", "a b/c d/e"}
	}
	if text == "a b" {
		return []string{text}
	}
	return strings.Fields(text)
}

func TestMap(t *testing.T) {
	for _, test := range []struct{ rules, name, target string }{
		{"tank=backup/t", "tank", "backup/t"},
		{"tank=backup/t", "tank/a", ""},
		{"tank<=backup/t", "tank", "backup/t"},
		{"tank<=backup/t", "tank/a/b", "backup/t/a/b"},
		{"<=backup", "tank", "backup/tank"},
		{"<=backup", "tank/a", "backup/tank/a"},
		{"tank<=tank", "tank/a", "tank/a"},
		{"tank<=backup tank/a=!", "tank/a", ""},
		{"tank<=backup tank/a=!", "tank/a/b", "backup/a/b"},
		{"tank<=backup tank/a<=other/x", "tank/a/b", "other/x/b"},
		{"tank<=backup tank/a<=other/x", "tank/ab", "backup/ab"},
		{"tank/a<=! <=backup", "tank/a/b", ""},
		{"tank/a<=! <=backup", "tank/b", "backup/tank/b"},
		{"tank<=ok", "tank", ""},
	} {
		target, ok := parse(t, strings.Fields(test.rules)...).Map(test.name)
		if target != test.target || ok != (test.target != "") {
			t.Errorf("%s: %q goes to %q, %v, want %q", test.rules, test.name, target, ok, test.target)
		}
	}
}

func TestSources(t *testing.T) {
	for _, test := range []struct{ rules, target, sources string }{
		{"tank=backup/t", "backup/t", "tank"},
		{"tank=backup/t", "backup/t/a", ""},
		{"tank<=backup/t", "backup/t/a/b", "tank/a/b"},
		{"<=backup", "backup/tank/a", "tank/a"},
		{"<=backup", "backup", ""},
		{"<=backup", "other", ""},
		{"tank<=backup tank/a=!", "backup/a", ""},
		{"tank<=backup tank/a=!", "backup/a/b", "tank/a/b"},
		{"tank<=backup tank/a<=other/x", "backup/a/b", ""},
		{"a<=t b<=t", "t/x", "a/x b/x"},
		{"a<=t b=t/x", "t/x", "a/x b"},
		{"a<=t/u <=t", "t/u/v", "a/v u/v"},
	} {
		rs := parse(t, strings.Fields(test.rules)...)
		if got := strings.Join(rs.Sources(test.target, 0), " "); got != test.sources {
			t.Errorf("%s: %q comes from %q, want %q", test.rules, test.target, got, test.sources)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ rule, want string }{
		{"=ok", `pattern "": empty: "<" alone means everything`},
		{"a<b<=ok", `pattern "a<b<": "<" is allowed once, at the end`},
		{"a<<=ok", `pattern "a<<": "<" is allowed once, at the end`},
		{"<a=ok", `pattern "<a": "<" is allowed once, at the end`},
		{"/a=ok", `pattern "/a": starts with "/": write a dataset's name, not a mountpoint`},
		{"a/=ok", `pattern "a/": ends with "/"`},
		{"a/<=ok", `pattern "a/<": ends with "/"`},
		{"a//b=ok", `pattern "a//b": empty component at byte 3`},
		{"a@s=ok", `pattern "a@s": '@' is part of a snapshot's or bookmark's name: write a dataset's name`},
		{"a#b<=ok", `pattern "a#b<": '#' is part of a snapshot's or bookmark's name: write a dataset's name`},
		{"a/*=ok", `pattern "a/*": "*" has no meaning: "P<" is P and all below it`},
		{"a\x1b=ok", `pattern "a\x1b": character '\x1b' at byte 2`},
		{"a/..=ok", `pattern "a/..": component ".." at byte 3`},
		{"a=", `result "" of pattern "a": empty: it is ok, "!" or a dataset`},
		{"a=t<", `result "t<" of pattern "a": "<" is allowed only at the end of a pattern`},
		{"a=/t", `result "/t" of pattern "a": starts with "/": write a dataset's name, not a mountpoint`},
		{"a=t@s", `result "t@s" of pattern "a": '@' is part of a snapshot's or bookmark's name: write a dataset's name`},
		{"a=-t", `result "-t" of pattern "a": pool name starts with '-': it must start with a letter`},
	} {
		_, err := Parse(split([]string{test.rule}))
		if err == nil || err.Error() != test.want {
			t.Errorf("%q: error %v\nwant %s", test.rule, err, test.want)
		}
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, err := Parse(split([]string{"a=ok", "b@=ok", "a=!", "c/=t"}))
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 3 {
		t.Fatalf("want three errors, got %v", err)
	}
	for _, e := range joined.Unwrap() {
		if _, ok := errors.AsType[*Error](e); !ok {
			t.Errorf("%v is no *Error", e)
		}
	}
}

func TestCheckKind(t *testing.T) {
	if err := parse(t, "a=ok", "b=t/u").CheckFilter(); err == nil || !strings.Contains(err.Error(), `"t/u"`) {
		t.Errorf("a filter with a target: %v", err)
	}
	if err := parse(t, "a=ok", "b=t/u").CheckMap(); err == nil || !strings.Contains(err.Error(), `pattern "a"`) {
		t.Errorf("a map with ok: %v", err)
	}
	if err := parse(t, "a=!", "b=t/u").CheckMap(); err != nil {
		t.Error(err)
	}
}

func TestRoots(t *testing.T) {
	for _, test := range []struct {
		rules, roots string
		all          bool
	}{
		{"tank/a<=ok tank/a/b=ok tank/ab=ok tank/c=!", "tank/a tank/ab", false},
		{"tank<=! tank/a/b<=ok", "tank/a/b", false},
		{"tank/a<=ok <=ok", "", true},
		{"<=!", "", false},
	} {
		roots, all := parse(t, strings.Fields(test.rules)...).Roots()
		if strings.Join(roots, " ") != test.roots || all != test.all {
			t.Errorf("%s: roots %q, %v", test.rules, roots, all)
		}
	}
}

func TestExplain(t *testing.T) {
	rs := parse(t, "tank<=backup", "tank/a=!", "b=ok")
	for _, test := range []struct{ name, result, rule string }{
		{"tank/x", "backup/x", "tank<=backup"},
		{"tank/a", "!", "tank/a=!"},
		{"b", "ok", "b=ok"},
		{"c", "!", ""},
	} {
		d := rs.Explain(test.name)
		rule := ""
		if d.Rule != nil {
			rule = d.Rule.String()
		}
		if d.Result != test.result || rule != test.rule {
			t.Errorf("%s: %q by %q", test.name, d.Result, rule)
		}
	}
}

// A file of rules is one document: what stands behind it would be lost.
func TestSecondDocument(t *testing.T) {
	for _, text := range []string{"\"a<\": ok\n---\n\"a/b<\": \"!\"\n", "{a: ok}\n---\n{b: [\n"} {
		if rules, err := Read(strings.NewReader(text), "f"); err == nil {
			t.Errorf("%q: %v", text, rules)
		}
	}
}

func TestLoop(t *testing.T) {
	for _, c := range []struct {
		rules         []Rule
		target, again string
	}{
		{[]Rule{{Pattern: "a<", Result: "b"}, {Pattern: "b<", Result: "!"}}, "", ""},
		{[]Rule{{Pattern: "a<", Result: "a/b"}, {Pattern: "a/b<", Result: "!"}}, "", ""},
		{[]Rule{{Pattern: "a<", Result: "a/b"}}, "a/b", "a/b/b"},
		{[]Rule{{Pattern: "a<", Result: "a/b"}, {Pattern: "a/b", Result: "!"}}, "a/b", "a/b/b"},
		{[]Rule{{Pattern: "<", Result: "b"}, {Pattern: "b", Result: "!"}}, "b", "b/b"},
		{[]Rule{{Pattern: "a", Result: "b/x"}, {Pattern: "b/x<", Result: "!"}}, "", ""},
	} {
		rules, err := Parse(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		if target, again, _ := rules.Loop(); target != c.target || again != c.again {
			t.Errorf("%v: %q, %q", c.rules, target, again)
		}
	}
}

// TestOnly: what is narrowed decides as before about what is allowed, and
// allows nothing that the rules do not.
func TestOnly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		rs, err := Parse(randomRules(r))
		if err != nil {
			t.Fatal(err)
		}
		some, more := map[string]bool{}, map[string]bool{}
		for range 10 {
			some[randomName(r)], more[randomName(r)] = true, true
		}
		narrow := rs.Only(func(name string) bool { return some[name] })
		twice := narrow.Only(func(name string) bool { return more[name] })
		for range 30 {
			name := randomName(r)
			if got, want := narrow.Pass(name), rs.Pass(name) && some[name]; got != want {
				t.Fatalf("%v of %v: %q: %v", rs, some, name, got)
			}
			if got, want := twice.Pass(name), rs.Pass(name) && some[name] && more[name]; got != want {
				t.Fatalf("%v of %v and %v: %q: %v", rs, some, more, name, got)
			}
			to, maps := rs.Map(name)
			if got, ok := narrow.Map(name); ok != (maps && some[name]) || ok && got != to {
				t.Fatalf("%v of %v: %q goes to %q, %v", rs, some, name, got, ok)
			}
		}
	}
}
