package state

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCovered: what is listed stays until it is removed, and a list that was
// never written, or is damaged, never counts as whole.
func TestCovered(t *testing.T) {
	d := In(t.TempDir())
	c := d.Covered("fetch")
	is := func(what string, wantWhole bool, want map[string]string) {
		t.Helper()
		got, whole, err := c.Read()
		if diff := cmp.Diff(want, got); diff != "" || err != nil || whole != wantWhole {
			t.Errorf("%s: whole %v, %v, want -, got +:\n%s", what, whole, err, diff)
		}
	}
	add := func(whole bool, fresh map[string]string, stale ...string) {
		t.Helper()
		if fits, err := c.Add(fresh, stale, whole); err != nil || !fits {
			t.Fatal(fits, err)
		}
	}
	is("nothing", false, nil)
	add(false, map[string]string{"b/x": "a/x"})
	is("not looked at all", false, map[string]string{"b/x": "a/x"})
	add(true, map[string]string{"b/y": "a/xend", "b/z": ""})
	is("all", true, map[string]string{"b/x": "a/x", "b/y": "a/xend", "b/z": ""})
	add(false, map[string]string{"b/z": "a/z", "b/new": "a/x"}, "b/x")
	all := map[string]string{"b/new": "a/x", "b/y": "a/xend", "b/z": "a/z"}
	is("another name", true, all)
	if err := c.Remove([]string{"b/y", "b/never"}); err != nil {
		t.Fatal(err)
	}
	delete(all, "b/y")
	is("removed", true, all)
	good, err := d.Read("fetch.covered", 100)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(good) {
		os.WriteFile(d.Path("fetch.covered"), good[:n], 0o600)
		if got, whole, err := c.Read(); err == nil || whole || got != nil {
			t.Errorf("cut to %d bytes: %v", n, got)
		}
	}
	add(false, map[string]string{"b/z": "a/z"})
	is("damaged", false, map[string]string{"b/z": "a/z"})
	if err := c.Drop(); err != nil {
		t.Fatal(err)
	}
	is("dropped", false, nil)
}

// TestCoveredFull: a list that is full keeps what it has, and says that it is
// not whole until everything has room again.
func TestCoveredFull(t *testing.T) {
	d := In(t.TempDir())
	c := d.Covered("fetch")
	many := map[string]string{}
	for i := range maxCoveredEach {
		many[fmt.Sprintf("b/%d", i)] = ""
	}
	if fits, err := c.Add(many, nil, true); !fits || err != nil {
		t.Fatal(fits, err)
	}
	if fits, err := c.Add(map[string]string{"b/more": "a/more"}, nil, true); fits || err != nil {
		t.Fatal(fits, err)
	}
	got, whole, err := c.Read()
	if !maps.Equal(many, got) || whole || err != nil {
		t.Fatal(whole, err, len(got))
	}
	if err := c.Remove([]string{"b/7"}); err != nil {
		t.Fatal(err)
	}
	if fits, err := c.Add(map[string]string{"b/more": "a/more"}, nil, true); !fits || err != nil {
		t.Fatal(fits, err)
	}
	if got, whole, err = c.Read(); got["b/more"] != "a/more" || !whole || err != nil {
		t.Fatal(whole, err)
	}
	// The longest names that there are do not make a file that nobody can read.
	long := strings.Repeat("y", 240)
	for i := range maxCoveredEach {
		many[fmt.Sprintf("b/%d", i)] = fmt.Sprintf("a/%s%d", long, i)
	}
	if fits, err := c.Add(many, nil, true); fits || err != nil {
		t.Fatal(fits, err)
	}
	if got, whole, err = c.Read(); len(got) != maxCoveredEach || whole || err != nil {
		t.Fatal(len(got), whole, err)
	}
}

func FuzzCovered(f *testing.F) {
	f.Add([]byte("b/x\ta/x\nb/y\t\n@all\n"))
	f.Add([]byte("b/x\ta/x@some\n@some\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d := In(t.TempDir())
		sources, whole, err := parseCovered(text)
		if err != nil {
			return
		}
		if _, err := d.Covered("j").Add(sources, nil, whole); err != nil {
			t.Fatal(err)
		}
		again, wholeAgain, err := d.Covered("j").Read()
		if diff := cmp.Diff(sources, again); diff != "" || whole != wholeAgain || err != nil {
			t.Fatal(whole, wholeAgain, err, diff)
		}
	})
}
