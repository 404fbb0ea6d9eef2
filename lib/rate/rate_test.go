package rate

import (
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, path string) *Limit {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestShared: several who share a file move together what it allows, by a clock
// that the test sets.
func TestShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	var all []*Limit
	for range 4 {
		all = append(all, open(t, path))
	}
	if n, wait, err := all[0].Allowance(time.Unix(1, 0)); n != math.MaxInt || wait != 0 || err != nil {
		t.Error("without a rate:", n, wait, err)
	}
	if err := all[1].Set(1000); err != nil {
		t.Fatal(err)
	}
	now, moved := time.Unix(1_000_000, 0), 0
	for end := now.Add(10 * time.Second); now.Before(end); {
		waited := time.Duration(math.MaxInt64)
		for _, l := range all {
			n, wait, err := l.Allowance(now)
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				l.Spend(n)
				moved, waited = moved+n, 0
			}
			waited = min(waited, wait)
		}
		now = now.Add(max(waited, time.Millisecond))
	}
	if moved < 9900 || moved > 10200 {
		t.Errorf("%d bytes in 10 seconds at 1000 a second", moved)
	}
}

// TestClock: a clock that is set back or forward neither stops anybody nor lets
// more than a burst through; and a rate that ends ends the wait.
func TestClock(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "r"))
	l.Set(1000)
	at := func(sec int64) (n int, wait time.Duration) {
		n, wait, err := l.Allowance(time.Unix(sec, 0))
		if err != nil {
			t.Fatal(err)
		}
		l.Spend(n)
		return n, wait
	}
	for _, sec := range []int64{1_000_000, 1_000_100, 999_000, 999_001, 5_000_000_000, 10} {
		n, wait := at(sec)
		if n > 100 || wait > time.Second {
			t.Errorf("at %d: %d, %v", sec, n, wait)
		}
	}
	if n, _ := at(11); n != 100 {
		t.Errorf("a second after a clock that was set back: %d", n)
	}
	l.Spend(1_000_000)
	if n, wait := at(12); n != 0 || wait != time.Second {
		t.Errorf("far behind: %d, %v", n, wait)
	}
	l.Set(0)
	if n, wait := at(12); n != math.MaxInt || wait != 0 {
		t.Errorf("without a rate: %d, %v", n, wait)
	}
}

// TestTogether: nothing is lost when many count at once.
func TestTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	open(t, path).Set(1)
	var wg sync.WaitGroup
	for range 8 {
		l := open(t, path)
		wg.Go(func() {
			for range 200 {
				l.Spend(3)
			}
		})
	}
	wg.Wait()
	if text, err := open(t, path).read(); err != nil || text.credit != -8*200*3 {
		t.Errorf("%+v, %v", text, err)
	}
}

// TestAll: the strictest decides.
func TestAll(t *testing.T) {
	dir := t.TempDir()
	all, err := OpenAll([]string{filepath.Join(dir, "a"), filepath.Join(dir, "b")})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	all[0].Set(1000)
	all[1].Set(100)
	now := time.Unix(1000, 0)
	if n, wait, err := all.Allowance(now); n != 10 || wait != 0 || err != nil {
		t.Error(n, wait, err)
	}
	all.Spend(10)
	if n, wait, err := all.Allowance(now); n != 0 || wait == 0 || err != nil {
		t.Error(n, wait, err)
	}
}
