package dataset

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	deep := strings.TrimSuffix(strings.Repeat("a/", MaxDepth), "/")
	for _, name := range []string{
		"tank", "tank/a", "tank/a b", "t-1/x.y:z_0", "tank/-a", "tank/.a", "tank/1", "Z",
		strings.Repeat("a", MaxNameLen), deep, "tank/ ",
	} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, test := range []struct{ name, want string }{
		{"", "empty name"},
		{"/tank", "empty component at byte 1"},
		{"tank/", "empty component at byte 6"},
		{"tank//a", "empty component at byte 6"},
		{"tank/.", `component "." at byte 6`},
		{"../tank", `component ".." at byte 1`},
		{"-tank", `pool name starts with '-': it must start with a letter`},
		{"1tank", `pool name starts with '1': it must start with a letter`},
		{"tank@a", `character '@' at byte 5`},
		{"tank/a#b", `character '#' at byte 7`},
		{"tank\n", `character '\n' at byte 5`},
		{"tank/é", `character 'é' at byte 6`},
		{"tank/%recv", `character '%' at byte 6`},
		{strings.Repeat("a", MaxNameLen+1), "name of 256 bytes: at most 255"},
		{deep + "/a", "name of 51 components: at most 50"},
	} {
		if err := CheckName(test.name); err == nil || err.Error() != test.want {
			t.Errorf("%q: %v, want %s", test.name, err, test.want)
		}
	}
}

func TestCheckFull(t *testing.T) {
	for _, full := range []string{"tank@a", "tank/a#b", "tank@a:b-1. 2"} {
		if err := CheckFull(full); err != nil {
			t.Errorf("%q: %v", full, err)
		}
	}
	for _, full := range []string{
		"tank", "@a", "tank@", "tank#", "tank@a@b", "tank@a#b", "tank#a@b", "tank@a/b", "tank@.", "-t@a", "tank@a\x00",
		"tank@" + strings.Repeat("a", MaxNameLen),
	} {
		if CheckFull(full) == nil {
			t.Errorf("%q passes", full)
		}
	}
}

func TestParts(t *testing.T) {
	for _, test := range []struct{ name, pool, parent string }{
		{"tank", "tank", ""}, {"tank/a", "tank", "tank"}, {"tank/a/b", "tank", "tank/a"},
		{"tank@s", "tank", ""}, {"tank/a#b", "tank", "tank"}, {"", "", ""},
	} {
		if Pool(test.name) != test.pool || Parent(test.name) != test.parent {
			t.Errorf("%q: pool %q, parent %q", test.name, Pool(test.name), Parent(test.name))
		}
	}
	for _, test := range []struct {
		name, root string
		want       bool
	}{
		{"a/b", "a/b", true}, {"a/b/c", "a/b", true}, {"a/bc", "a/b", false}, {"a", "a/b", false}, {"b/a", "a", false},
	} {
		if Within(test.name, test.root) != test.want {
			t.Errorf("Within(%q, %q)", test.name, test.root)
		}
	}
}

func TestGUID(t *testing.T) {
	for _, s := range []string{"1", "18446744073709551615"} {
		if g, err := ParseGUID(s); err != nil || g.String() != s {
			t.Errorf("%s: %v, %v", s, g, err)
		}
	}
	for _, s := range []string{"", "0", "-1", "+1", "0x1", "18446744073709551616", "1 ", "-"} {
		if g, err := ParseGUID(s); err == nil {
			t.Errorf("%q reads as %v", s, g)
		}
	}
}

// TestSort: whatever the order was, the result is one order.
func TestSort(t *testing.T) {
	want := []Version{
		{Snapshot, "b", 5, 1}, {Bookmark, "b", 5, 1}, {Snapshot, "a", 6, 2}, {Snapshot, "c", 7, 2}, {Bookmark, "a", 6, 2}, {Snapshot, "0", 1, 9},
	}
	for range 100 {
		got := slices.Clone(want)
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		Sort(got)
		if !slices.Equal(got, want) {
			t.Fatal(got)
		}
	}
	if v := want[1]; v.String() != "#b" || v.Full("tank") != "tank#b" {
		t.Error(v, v.Full("tank"))
	}
}

// FuzzNames: what passes is safe to put behind a command's flags, and taking
// a name apart and together again changes nothing.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"tank", "tank/a@b", "a#b", "-x", "a//b", "a@", "a b/c:d", "\x00", "a/../b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ds, kind, short := Split(name)
		together := ds + short
		if kind != 0 {
			together = Version{Kind: kind, Name: short}.Full(ds)
		}
		if together != name {
			t.Fatalf("%q comes together as %q", name, together)
		}
		if CheckFull(name) == nil && (CheckName(ds) != nil || CheckShort(short) != nil) {
			t.Fatalf("%q is whole, its parts are not", name)
		}
		if CheckName(name) != nil {
			return
		}
		if name[0] == '-' || len(name) > MaxNameLen || strings.ContainsAny(name, "@#%\x00\t\n\\'\"$`;&|<>*?~!(){}[]") {
			t.Fatalf("%q passes", name)
		}
		for parent := Parent(name); parent != ""; parent = Parent(parent) {
			if CheckName(parent) != nil || !Within(name, parent) || Pool(parent) != Pool(name) {
				t.Fatalf("%q has the parent %q", name, parent)
			}
		}
	})
}
