package pause

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

func TestPause(t *testing.T) {
	dir := state.In(t.TempDir())
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	check := func(when time.Duration, want bool, left time.Duration) {
		t.Helper()
		on, until := On(dir, "a", now.Add(when))
		if on != want || want && left > 0 && until.Sub(now.Add(when)) != left || left == 0 && !until.IsZero() {
			t.Errorf("after %s: %v, until %s", when, on, until)
		}
	}
	check(0, false, 0)
	if err := Set(dir, "a", now, 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	check(0, true, 2*time.Hour)
	check(time.Hour, true, time.Hour)
	check(2*time.Hour, false, -1)
	check(-1000*time.Hour, true, 2*time.Hour) // the clock was ahead when it was paused
	if on, _ := On(dir, "b", now); on {
		t.Error("another job is paused")
	}
	if was, err := Clear(dir, "a", now); !was || err != nil {
		t.Error(was, err)
	}
	if was, err := Clear(dir, "a", now); was || err != nil {
		t.Error(was, err)
	}
	if err := Set(dir, "a", now, 0); err != nil {
		t.Fatal(err)
	}
	check(10000*time.Hour, true, 0)
	if err := os.WriteFile(dir.Path("a.paused"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(0, true, 0)
	if on, _ := On(state.Dir{}, "a", now); on {
		t.Error("without a directory")
	}
}

// TestPauseUnread: what cannot be read is no person's pause, and no run starts.
func TestPauseUnread(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := state.In(file)
	if on, _, err := Look(dir, "a", time.Now()); on || err == nil {
		t.Error(on, err)
	}
	if on, _ := On(dir, "a", time.Now()); !on {
		t.Error("it may be paused")
	}
}
