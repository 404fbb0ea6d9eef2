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

// TestSettle: a pause that was made while the clock was ahead ends after the
// time that was asked for, however often it is looked at.
func TestSettle(t *testing.T) {
	dir := state.In(t.TempDir())
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	pause := func(made time.Time, length time.Duration) {
		t.Helper()
		if err := Set(dir, "a", made, length); err != nil {
			t.Fatal(err)
		}
	}
	looks := func(begin time.Time, step time.Duration, n int) (on bool) {
		t.Helper()
		for i := range n {
			when := begin.Add(time.Duration(i) * step)
			if err := Settle(dir, "a", when); err != nil {
				t.Fatal(err)
			}
			on, _ = On(dir, "a", when)
		}
		return on
	}
	pause(now.Add(1000*time.Hour), 2*time.Hour)
	if !looks(now, 10*time.Minute, 12) {
		t.Error("it ended early")
	}
	if looks(now, 10*time.Minute, 13) {
		t.Error("it lasts longer than it should")
	}
	pause(now.Add(1000*time.Hour), 0)
	if !looks(now, 24*time.Hour, 100) {
		t.Error("one without an end ended")
	}
	pause(now, 2*time.Hour)
	if !looks(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), time.Hour, 5) || !looks(now.Add(time.Hour), 0, 1) {
		t.Error("a clock that was not set ended it")
	}
	if looks(now.Add(2*time.Hour), 0, 1) {
		t.Error("a clock that was not set made it longer")
	}
}

// TestSettleBehind: a clock that is behind for a while, as a host without a battery
// begins with, ends no pause early, also if the job is resumed or paused anew then.
func TestSettleBehind(t *testing.T) {
	dir := state.In(t.TempDir())
	now := time.Date(2026, 12, 2, 12, 0, 0, 0, time.UTC)
	behind := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	const month = 30 * 24 * time.Hour
	at := func(when time.Time, want bool) {
		t.Helper()
		if err := Settle(dir, "a", when); err != nil {
			t.Fatal(err)
		}
		if on, until := On(dir, "a", when); on != want {
			t.Errorf("at %s: %v, until %s", when, on, until)
		}
	}
	set := func(when time.Time, length time.Duration) {
		t.Helper()
		if err := Set(dir, "a", when, length); err != nil {
			t.Fatal(err)
		}
	}
	set(now, month)
	for range 2 { // two boots
		at(behind, true)
		at(behind.Add(time.Hour), true)
		at(now.Add(-5*time.Minute), true) // the clock had been ahead a little
		at(now.Add(time.Hour), true)
	}
	at(now.Add(month-time.Minute), true)
	at(now.Add(month), false)
	set(now, 2*time.Hour)
	at(now.Add(-50*time.Minute), true)
	at(now.Add(time.Hour), true)
	at(now.Add(2*time.Hour), false)
	set(now.Add(1000*time.Hour), 2*time.Hour) // the clock is ahead
	at(now, true)
	at(now.Add(3*time.Hour), false)
	at(now.Add(1001*time.Hour), false) // it has ended
	set(now.Add(2000*time.Hour), 2*time.Hour)
	at(now, true)
	if was, err := Clear(dir, "a", now); !was || err != nil {
		t.Error(was, err)
	}
	at(now.Add(time.Minute), false)
	set(now.Add(2001*time.Hour), 2*time.Hour)
	at(now.Add(2*time.Hour), true) // another pause
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
