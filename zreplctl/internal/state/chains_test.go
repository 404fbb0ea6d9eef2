package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChains(t *testing.T) {
	d := In(filepath.Join(t.TempDir(), "state"))
	all := func() (all []Chain) {
		if err := d.Chains(func(c Chain) { all = append(all, c) }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	if got := all(); got != nil {
		t.Fatal(got)
	}
	one, two := Chain{"a/x", 1, 2, false}, Chain{"a/y", 3, 4, true}
	note := func(job, id string, c Chain) {
		t.Helper()
		if err := d.NoteChain(job, id, c); err != nil {
			t.Fatal(err)
		}
	}
	note("offer", "one", one)
	// A full disk cut a line.
	f, err := os.OpenFile(d.Path("offer@one.chains"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("a/x\t12")
	f.Close()
	note("offer", "one", two)
	// Another client fills its own file.
	filler := Chain{"a/z", 5, 6, false}
	if err := os.WriteFile(d.Path("offer@two.chains"), make([]byte, maxChains+1), 0o600); err != nil {
		t.Fatal(err)
	}
	note("offer", "two", filler)
	note("offer", "two", filler)
	if diff := cmp.Diff([]Chain{one, two, filler, filler}, all()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	// Only the older half is left.
	if err := os.Rename(d.Path("offer@one.chains"), d.Path("offer@one.chains.old")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Chain{one, two, filler, filler}, all()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
