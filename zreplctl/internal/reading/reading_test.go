package reading

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
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

// TestOld: a note that is older than a day says nothing, and stays for as long
// as its process does; nor does one from the future.
func TestOld(t *testing.T) {
	d := In(t.TempDir())
	end := d.Begin("a@s1")
	entries, err := os.ReadDir(string(d))
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	path := filepath.Join(string(d), entries[0].Name())
	for age, want := range map[time.Duration]int{23 * time.Hour: 1, 25 * time.Hour: 0, -time.Hour: 1, -25 * time.Hour: 0} {
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		if got := d.names(); len(got) != want {
			t.Errorf("%v: %q", age, got)
		}
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
	end()
}

// TestHidden: who looks leaves a note that is being made alone, and removes one
// that nobody has finished for hours.
func TestHidden(t *testing.T) {
	d := In(t.TempDir())
	d.Begin("a@s1")()
	made, old := filepath.Join(string(d), ".1"), filepath.Join(string(d), ".2")
	for _, path := range []string{made, old} {
		if err := os.WriteFile(path, []byte("a@s1"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	when := time.Now().Add(-3 * time.Hour)
	if err := os.Chtimes(old, when, when); err != nil {
		t.Fatal(err)
	}
	if got := d.names(); len(got) != 0 {
		t.Error(got)
	}
	if _, err := os.Lstat(made); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(old); err == nil {
		t.Error("the old one is still there")
	}
}

// TestBusy: however many look, each note is made.
func TestBusy(t *testing.T) {
	d := In(t.TempDir())
	stop, done := make(chan struct{}), make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				select {
				case <-stop:
					return
				default:
					d.Now()
				}
			}
		}()
	}
	for i := range 500 {
		m, err := d.make("a@s1")
		if err != nil {
			t.Fatal(i, err)
		}
		os.Remove(m.Name())
		m.Close()
	}
	close(stop)
	for range 4 {
		<-done
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
