package property

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	for _, c := range []struct {
		take, exclude string
		yes, no       string
	}{
		{"", "", "", "compression user:x"},
		{"*", "", "compression quota user:x com.acme:b", "readonly canmount mountpoint sharenfs setuid exec devices volmode snapdev encryption keylocation zoned jailed zreplctl:send rdonly compress reserv COMPRESSION volsize type -o a:b=c"},
		{"compression com.acme:*", "com.acme:secret*", "compression com.acme:b", "recordsize com.acme:secret com.acme:secret2 com.acmeX:b user:x"},
		{"* org.freebsd:swap", "", "user:x org.freebsd:swap", "org.openzfs.systemd:wanted-by org.openzfs.systemd:required-by com.sun:auto-snapshot com.sun:auto-snapshot:daily zrepl:placeholder org.freebsd:other"},
		{"org.openzfs.systemd:* org.*", "", "org.acme:x", "org.openzfs.systemd:requires org.freebsd:swap org.zfsbootmenu:commandline"},
		{"* com.sun:auto-snapshot", "com.sun:*", "user:x", "com.sun:auto-snapshot"},
		{strings.Join(Safe, " "), "atime", "recordsize relatime", "atime quota refquota reservation refreservation copies dedup sync snapdir acltype checksum special_small_blocks user:x"},
	} {
		r := Rules{Take: strings.Fields(c.take), Exclude: strings.Fields(c.exclude)}
		for _, name := range strings.Fields(c.yes) {
			if !r.Takes(name) {
				t.Errorf("%v does not take %q", r, name)
			}
		}
		for _, name := range strings.Fields(c.no) {
			if r.Takes(name) {
				t.Errorf("%v takes %q", r, name)
			}
		}
	}
	for name := range Inert(false) {
		if Check(name) == nil || !Has(false, name) {
			t.Errorf("%q can be taken", name)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, good := range []string{"*", "compression", "user:x", "com.acme:*", "com.*", "a:b+c"} {
		if err := CheckPattern(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-o", "-*", "readonly", "rdonly", "nosuch", "Com:x", "a b:*", "zreplctl:*", "zreplctl:x", "a:*b", "**", "a\n:*"} {
		if CheckPattern(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestTold(t *testing.T) {
	many := map[string]string{}
	for i := range MaxCount + 1 {
		many["u:"+strings.Repeat("x", i%200)+string(rune('a'+i%26))+strings.Repeat("y", i/26)] = ""
	}
	for what, told := range map[string]map[string]string{"count": many, "size": {"u:x": strings.Repeat("x", MaxValue)},
		"total":      {"u:1": strings.Repeat("x", MaxValue-1), "u:2": strings.Repeat("x", MaxValue-1), "u:3": strings.Repeat("x", MaxValue-1), "u:4": strings.Repeat("x", MaxValue-1)},
		"line break": {"u:x": "a\nb"}, "escape": {"u:x": "\x1b["}, "C1": {"u:x": "a\u009bb"}, "not UTF-8": {"u:x": "\xff"}, "delete": {"u:x": "\x7f"}} {
		if CheckTold(told) == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	if err := CheckTold(map[string]string{"u:x": "größer, 大きい"}); err != nil {
		t.Error(err)
	}
}

func TestRecord(t *testing.T) {
	r := Record{Told: "abc.def", Set: map[string]string{"user:x": "01", "atime": "02"}, Left: map[string]string{"quota": "03"}}
	text := r.String()
	if want := "abc.def atime=02 user:x=01 quota=~03"; text != want {
		t.Errorf("%q, not %q", text, want)
	}
	got := ParseRecord(text)
	if got.Told != r.Told || !maps.Equal(got.Set, r.Set) || !maps.Equal(got.Left, r.Left) {
		t.Errorf("read as %v", got)
	}
	for _, bad := range []string{"", "-", "x readonly=1 zreplctl:send=2 -o=3 =4 rdonly=5", "\x00", strings.Repeat("=", 100)} {
		if r := ParseRecord(bad); !r.Empty() {
			t.Errorf("%q: %v", bad, r)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add("abc.def atime=02 user:x=01 quota=~03")
	f.Fuzz(func(t *testing.T, text string) {
		r := ParseRecord(text)
		if again := ParseRecord(r.String()); !maps.Equal(again.Set, r.Set) {
			t.Errorf("%q: %v, %v", text, r, again)
		}
	})
}

func TestPlan(t *testing.T) {
	note := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = Sum(pairs[i+1])
		}
		return m
	}
	is := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for _, c := range []struct {
		name             string
		local, ours      map[string]string
		left             map[string]string
		wanted           map[string]string
		untold           string
		volume           bool
		set              map[string]string
		clear, leftAlone string
		noted            string
	}{
		{name: "new", wanted: is("atime", "off"), set: is("atime", "off"), noted: "atime"},
		{name: "same", local: is("atime", "off"), ours: note("atime", "off"), wanted: is("atime", "off"), noted: "atime"},
		{name: "changed", local: is("atime", "off"), ours: note("atime", "off"), wanted: is("atime", "on"), set: is("atime", "on"), noted: "atime"},
		{name: "gone", local: is("atime", "off"), ours: note("atime", "off"), clear: "atime"},
		{name: "cannot be told", local: is("atime", "off"), ours: note("atime", "off"), untold: "atime", noted: "atime"},
		{name: "somebody's", local: is("atime", "off"), wanted: is("atime", "on"), leftAlone: "atime"},
		{name: "somebody's, said before", local: is("atime", "off"), left: note("atime", "on"), wanted: is("atime", "on")},
		{name: "somebody's, the same", local: is("atime", "on"), wanted: is("atime", "on")},
		{name: "changed at the copy", local: is("atime", "x"), ours: note("atime", "off"), wanted: is("atime", "on"), leftAlone: "atime"},
		{name: "taken off at the copy", ours: note("atime", "off"), wanted: is("atime", "on"), leftAlone: "atime"},
		{name: "changed at the copy and gone", local: is("atime", "x"), ours: note("atime", "off")},
		{name: "another type", volume: true, wanted: is("atime", "off", "compression", "lz4"), set: is("compression", "lz4"), noted: "compression"},
	} {
		got := Plan(Copy{c.volume, c.local, Record{Set: c.ours, Left: c.left}}, c.wanted, strings.Fields(c.untold))
		if !maps.Equal(got.Set, c.set) || strings.Join(got.Clear, " ") != c.clear || strings.Join(got.Left, " ") != c.leftAlone ||
			strings.Join(slices.Sorted(maps.Keys(got.Record.Set)), " ") != c.noted {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestEarly(t *testing.T) {
	for _, c := range []struct {
		name, value string
		early       bool
	}{{"compression", "zstd-fast-500", true}, {"compression", "zstd-20", false}, {"compression", "zork", false}, {"recordsize", "1048576", false},
		{"recordsize", "131072", true}, {"quota", "1", false}, {"user:x", "anything", true}} {
		if Early(c.name, c.value) != c.early {
			t.Errorf("%s=%s: early is %v", c.name, c.value, !c.early)
		}
	}
}
