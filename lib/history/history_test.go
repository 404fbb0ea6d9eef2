package history

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

var noon = Clock{Now: time.Unix(1_800_000_000, 0), Up: 5 * time.Hour}

// after is noon and some time, as a clock shows it that was set by step.
func after(d, step time.Duration) Clock {
	return Clock{Now: noon.Now.Add(d + step), Up: noon.Up + d}
}

func versions(n int) (list []dataset.Version) {
	for i := range n {
		list = append(list, dataset.Version{Kind: dataset.Snapshot, Name: fmt.Sprintf("s%d", i), GUID: dataset.GUID(i + 1), CreateTXG: uint64(100 + 3*i)})
	}
	return list
}

// reread is the book as the next run finds it.
func reread(t *testing.T, b *Book) *Book {
	t.Helper()
	again, err := Parse(b.Text())
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// TestFind: what is known counts for the same guid and the same stamp alone.
func TestFind(t *testing.T) {
	b := New()
	b.Begin(noon)
	s := Stamp{Load: 7, Changed: noon.Now.Unix() - 60, Origin: 3}
	b.Note(42, s, noon, versions(5))
	b.Note(43, Stamp{Load: 7}, noon, nil)
	b = reread(t, b)
	got, ok := b.Find(42, s)
	if d := cmp.Diff(versions(5), got); d != "" || !ok {
		t.Error(ok, d)
	}
	if got, ok := b.Find(43, Stamp{Load: 7}); !ok || len(got) != 0 {
		t.Error("a dataset without snapshots:", ok, got)
	}
	for _, other := range []Stamp{{7, s.Changed + 1, 0, 3}, {7, s.Changed - 1, 0, 3}, {8, s.Changed, 0, 3}, {7, s.Changed, 1, 3}, {7, s.Changed, 0, 0}, {7, 0, 0, 3}} {
		if _, ok := b.Find(42, other); ok {
			t.Errorf("known with stamp %v", other)
		}
	}
	if _, ok := b.Find(41, s); ok {
		t.Error("another dataset is known")
	}
	b.Keep(map[dataset.GUID]bool{43: true})
	if _, ok := b.Find(42, s); ok || !b.Changed() {
		t.Error("a dataset that is gone is known")
	}
}

// TestYoung: a change of the last few seconds, or of the future, is not noted,
// and what was noted before it does not come back.
func TestYoung(t *testing.T) {
	for age, known := range map[time.Duration]bool{0: false, 2 * time.Second: false, 4 * time.Second: true, -time.Hour: false} {
		b := New()
		b.Begin(noon)
		b.Note(42, Stamp{Changed: 1}, noon, versions(1))
		s := Stamp{Changed: noon.Now.Add(-age).Unix()}
		b.Note(42, s, noon, versions(2))
		b = reread(t, b)
		if _, ok := b.Find(42, s); ok != known {
			t.Errorf("changed %v ago: known is %v", age, ok)
		}
		if _, ok := b.Find(42, Stamp{Changed: 1}); ok {
			t.Error("the older one is known")
		}
	}
}

// TestCertain: a book counts for a day, and not once the clock was set back.
func TestCertain(t *testing.T) {
	if New().Certain(noon) {
		t.Error("an empty book is certain")
	}
	b := New()
	b.Begin(noon)
	b = reread(t, b)
	for _, c := range []struct {
		at   Clock
		want bool
	}{
		{noon, true},
		{after(time.Hour, 0), true},
		{after(25*time.Hour, 0), false},
		{after(time.Hour, 30*time.Minute), true},        // set forward
		{after(time.Hour, -10*time.Second), false},      // set back
		{after(time.Hour, -2*time.Hour), false},         // before it was written
		{after(time.Hour, -500*time.Millisecond), true}, // slowed down
	} {
		if got := b.Certain(c.at); got != c.want {
			t.Errorf("%v: %v", c.at, got)
		}
	}
	// Notes of a time when the clock was ahead are not certain once it is right.
	b.Note(42, Stamp{Load: 7, Changed: 5}, after(time.Hour, 30*time.Minute), versions(1))
	b = reread(t, b)
	if c := after(2*time.Hour, 30*time.Minute); !b.Certain(c) {
		t.Error("still ahead: not certain")
	}
	if c := after(2*time.Hour, 0); b.Certain(c) {
		t.Error("set back after a note: certain")
	}
	b.Refuse(noon)
	if b = reread(t, b); !b.Refused(after(time.Hour, 0)) || b.Refused(after(25*time.Hour, 0)) || b.Certain(noon) {
		t.Error("what ZFS refused is not noted")
	}
}

// TestDamaged: no text that was changed is believed, nor one that was made to
// look right.
func TestDamaged(t *testing.T) {
	b := New()
	b.Begin(noon)
	b.Note(42, Stamp{Load: 7, Changed: 5}, noon, versions(30))
	text := b.Text()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		bad := bytes.Clone(text)
		bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
		if got, err := Parse(bad); err == nil || len(got.entries) != 0 {
			t.Fatal("a changed text is believed")
		}
		if got, err := Parse(text[:rng.IntN(len(text))]); err == nil || len(got.entries) != 0 {
			t.Fatal("a cut text is believed")
		}
	}
	for _, name := range []string{"a b/c", "a@b", "", "x\n", "-", "../x"} {
		evil := New()
		evil.Begin(noon)
		evil.Note(42, Stamp{}, noon, []dataset.Version{{Kind: dataset.Snapshot, Name: name, GUID: 1}})
		if _, err := Parse(evil.Text()); (err == nil) != (dataset.CheckShort(name) == nil) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	b := New()
	b.Begin(noon)
	b.Note(42, Stamp{Load: 7, Changed: 5}, noon, versions(3))
	f.Add(b.Text())
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, err := Parse(text); err == nil {
			if again, err := Parse(b.Text()); err != nil || len(again.entries) != len(b.entries) {
				t.Error(err)
			}
		}
	})
}
