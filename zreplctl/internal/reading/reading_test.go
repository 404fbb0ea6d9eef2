package reading

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func (d Dir) names() []string { return slices.Sorted(maps.Keys(d.Now())) }

// TestNotes: a snapshot is noted while it is read, and as often as it is.
func TestNotes(t *testing.T) {
	d := In(t.TempDir())
	if len(d.Now()) != 0 {
		t.Error(d.Now())
	}
	first, again, other := d.Begin("a/x@s1"), d.Begin("a/x@s1"), d.Begin("b@s1")
	first()
	if got := d.names(); !slices.Equal(got, []string{"a/x@s1", "b@s1"}) {
		t.Error(got)
	}
	again()
	if got := d.names(); !slices.Equal(got, []string{"b@s1"}) {
		t.Error(got)
	}
	other()
	if left, err := os.ReadDir(string(d)); len(left) != 0 || err != nil {
		t.Error(left, err)
	}
}

// TestKilled: what nobody locks says nothing, and goes.
func TestKilled(t *testing.T) {
	d := In(t.TempDir())
	d.Begin("a@s1")()
	path := filepath.Join(string(d), "1")
	if err := os.WriteFile(path, []byte("a@s1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := d.names(); len(got) != 0 {
		t.Error(got)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the note is still there")
	}
}

// TestNoPlace: where nothing can be noted, nothing fails.
func TestNoPlace(t *testing.T) {
	d := In("/dev/null")
	d.Begin("a@s1")()
	if len(d.Now()) != 0 {
		t.Error(d.Now())
	}
}
