package forge

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// These forged streams get past OpenZFS 2.3 (scripts/conformance.d/95-forged.sh
// has them and more), so they must get past zfs-sim.

func (m *machine) guid(name string) uint64 {
	m.t.Helper()
	n, err := strconv.ParseUint(strings.TrimSpace(m.ok(nil, "zfs", "get", "-Hp", "-o", "value", "guid", name)), 10, 64)
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

func (m *machine) list(name string) string {
	m.t.Helper()
	return strings.Join(strings.Fields(m.ok(nil, "zfs", "list", "-H", "-t", "all", "-o", "name", "-r", name)), " ")
}

func (m *machine) wantList(name, want string) {
	m.t.Helper()
	if got := m.list(name); got != want {
		m.t.Errorf("%s: there is %q, not %q", name, got, want)
	}
}

func TestPackageNamesAreCutByLength(t *testing.T) {
	m := newMachine(t)
	m.ok(nil, "zfs", "create", "-p", "p/t/root")
	m.ok(nil, "zfs", "create", "p/t/root2")
	s := m.parse("p/a@one")
	s.Begins()[0].SetName("a#bcdefg2/evil@one")
	m.ok(Package("a#bcdefg@one", nil, s).Bytes(), "zfs", "receive", "-u", "p/t/root")
	s.Begins()[0].SetName("abcd2@one")
	m.ok(Package("abcd@one", nil, s).Bytes(), "zfs", "receive", "-u", "-F", "p/t/root")
	m.wantList("p/t", "p/t p/t/root p/t/root2 p/t/root2@one p/t/root2/evil p/t/root2/evil@one")
}

func TestNameBehindNUL(t *testing.T) {
	m := newMachine(t)
	m.ok(nil, "zfs", "create", "-p", "p/t/root")
	s := m.parse("p/a@one")
	s.Begins()[0].SetName("a@s\x00cdefghijkl/evil@one")
	m.ok(Package("abcdefghijklmn@one", nil, s).Bytes(), "zfs", "receive", "-u", "p/t/root")
	m.wantList("p/t", "p/t p/t/root p/t/root/evil p/t/root/evil@one")
}

func TestFlagMakesClones(t *testing.T) {
	m := newMachine(t)
	m.ok(nil, "zfs", "create", "p/secret")
	m.ok(nil, "zfs", "snapshot", "p/secret@old")
	s := m.parse("p/a@one")
	begin := s.Begins()[0]
	begin.Set(Flags, begin.Get(Flags)|1)
	begin.Set(FromGUID, m.guid("p/secret@old"))
	m.ok(s.Bytes(), "zfs", "receive", "-u", "p/b")
	if got := m.ok(nil, "zfs", "get", "-H", "-o", "value", "origin", "p/b"); got != "p/secret@old\n" {
		t.Errorf("the origin is %q", got)
	}
}

// replicated is a package of p/a from @one to @two that says nothing of others.
func (m *machine) replicated(mark ...Pair) Stream {
	fs := []Pair{{Name: "name", Value: "p/a"}, {Name: "parentfromsnap", Value: uint64(0)}, {Name: "props", Value: []Pair{}},
		{Name: "snaps", Value: []Pair{{Name: "one", Value: m.guid("p/a@one")}}}}
	pairs := append([]Pair{{Name: "fromsnap", Value: "one"}, {Name: "tosnap", Value: "two"}}, mark...)
	pairs = append(pairs, Pair{Name: "fss", Value: []Pair{{Name: "0x1", Value: fs}}})
	return Package("p/a@two", Pack(pairs...), m.parse("-i", "@one", "p/a@two"))
}

func TestOnlyOneMarkKeepsPackagesFromDestroying(t *testing.T) {
	for name, c := range map[string]struct {
		mark []Pair
		want string
	}{
		"boolean":       {[]Pair{{Name: "not_recursive"}}, "p/b p/b@one p/b@two p/b/kid p/b/kid@mine"},
		"number":        {[]Pair{{Name: "not_recursive", Value: uint64(1)}}, "p/b p/b@one"},
		"boolean value": {[]Pair{{Name: "not_recursive", Value: true}}, "p/b p/b@one"},
		"none":          {nil, "p/b p/b@one"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.ok([]byte(m.ok(nil, "zfs", "send", "p/a@one")), "zfs", "receive", "-u", "p/b")
			m.ok(nil, "zfs", "create", "p/b/kid")
			m.ok(nil, "zfs", "snapshot", "p/b/kid@mine")
			m.ok(m.replicated(c.mark...).Bytes(), "zfs", "receive", "-u", "-F", "p/b")
			m.wantList("p/b", c.want)
		})
	}
}

func TestHiddenPairsCount(t *testing.T) {
	m := newMachine(t)
	m.ok([]byte(m.ok(nil, "zfs", "send", "p/a@one")), "zfs", "receive", "-u", "p/b")
	m.ok(nil, "zfs", "create", "p/b/kid")
	hidden, err := ParsePairs(`{"fromsnap":"one","tosnap":"two","fss":{"0x1":{"name":"p/a","parentfromsnap":0,"snaps":{"one":` +
		strconv.FormatUint(m.guid("p/a@one"), 10) + `}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	payload := Pack(Pair{Name: "raw", Hidden: hidden}, Pair{Name: "not_recursive"}, Pair{Name: "fss", Value: []Pair{{Name: "x", Value: []Pair{}}}})
	m.ok(Package("p/a@two", payload, m.parse("-i", "@one", "p/a@two")).Bytes(), "zfs", "receive", "-u", "-F", "p/b")
	m.wantList("p/b", "p/b p/b@one")
}

func TestHoldsAndPropertiesOfPackages(t *testing.T) {
	m := newMachine(t)
	pairs, err := ParsePairs(`{"tosnap":"one","not_recursive":null,"fss":{"0x1":{"name":"p/a","parentfromsnap":0,"props":{"readonly":1},"snaps":{"one":` +
		strconv.FormatUint(m.guid("p/a@one"), 10) + `},"snapholds":{"one":{"foreign":1}}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	s := Package("p/a@one", Pack(pairs...), m.parse("p/a@one"))
	s[0].SetFeatures(1 << 26)
	m.ok(s.Bytes(), "zfs", "receive", "-u", "p/b")
	if got := m.ok(nil, "zfs", "get", "-H", "-o", "value", "userrefs", "p/b@one"); got != "1\n" {
		t.Errorf("holds: %q", got)
	}
	if got := m.ok(nil, "zfs", "get", "-H", "-o", "value,source", "readonly", "p/b"); got != "on\treceived\n" {
		t.Errorf("readonly: %q", got)
	}
}

func TestOtherByteOrderIsReceived(t *testing.T) {
	m := newMachine(t)
	m.ok(m.parse("p/a@one").Swap().Bytes(), "zfs", "receive", "p/b")
	m.wantList("p/b", "p/b p/b@one")
	want, err := os.ReadFile(filepath.Join(m.root, "mnt/p/a/file"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(m.root, "mnt/p/b/file")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file has %d bytes, not %d: %v", len(got), len(want), err)
	}
}
