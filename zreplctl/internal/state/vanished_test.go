package state

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// TestVanishingClock: a source must be gone for the whole time by a clock that may be
// wrong, and be seen so by many runs.
func TestVanishingClock(t *testing.T) {
	const keep, day = 80 * 24 * time.Hour, 24 * time.Hour
	start := time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		looks []time.Duration // since the start
		due   bool
	}{
		{"never seen", nil, false},
		{"once", []time.Duration{0}, false},
		{"each ten days", []time.Duration{0, 10 * day, 20 * day, 30 * day, 40 * day, 50 * day, 60 * day, 70 * day, 80 * day}, true},
		{"one less", []time.Duration{0, 10 * day, 20 * day, 30 * day, 40 * day, 50 * day, 60 * day, 70 * day}, false},
		{"at last a second too early", []time.Duration{0, 10 * day, 20 * day, 30 * day, 40 * day, 50 * day, 60 * day, 70 * day, 80*day - time.Second}, false},
		{"not for a long time", []time.Duration{0, 1000 * day}, false},
		{"the clock jumps for a moment", []time.Duration{0, 1000 * day, 1000*day + time.Hour}, false},
		{"it jumps and is right again, and jumps", []time.Duration{0, 1000 * day, day, 1000 * day, 2 * day, 1000 * day, 3 * day, 1000 * day, 4 * day, 1000 * day, 5 * day, 1000 * day, 6 * day, 1000 * day, 7 * day, 1000 * day}, false},
		{"it was ahead at first", []time.Duration{1000 * day, 0, 10 * day, 20 * day, 30 * day, 40 * day, 50 * day, 60 * day, 70 * day}, false},
		{"it was ahead at first, and then long enough", []time.Duration{1000 * day, 0, 10 * day, 20 * day, 30 * day, 40 * day, 50 * day, 60 * day, 70 * day, 80 * day}, true},
		{"it was not set", []time.Duration{0, -20000 * day, 10 * day, -20000 * day, 20 * day, 30 * day, 40 * day, 50 * day, 60 * day, 70 * day, 80 * day}, true},
		{"it is not set", []time.Duration{0, 10 * day, 20 * day, 30 * day, 40 * day, 50 * day, 60 * day, 70 * day, 80 * day, -20000 * day}, false},
		{"it is set by seconds", []time.Duration{0, 10 * day, 10*day - time.Minute, 20 * day, 30 * day, 40 * day, 50 * day, 60 * day, 70 * day, 80 * day}, true},
	} {
		var v Vanishing
		due := false
		for _, at := range c.looks {
			now := start.Add(at)
			v.Count(now, keep)
			_, due = v.Goes(now, keep)
		}
		if due != c.due {
			t.Errorf("%s: due is %v: %+v", c.name, due, v)
		}
	}
}

// No order of looks, with a clock that only jumps ahead, lets a copy go before so many
// looks as there are parts, nor before its time. With a right one it goes in time.
func TestVanishingLooks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		keep := 24*time.Hour + time.Duration(r.Int64N(int64(1000*24*time.Hour)))
		first := time.Unix(1_700_000_000+r.Int64N(1<<30), 0)
		now, looks := first, 0
		var v Vanishing
		for due := false; !due; looks++ {
			v.Count(now, keep)
			var goes time.Time
			goes, due = v.Goes(now, keep)
			if due && (looks < countParts || now.Sub(first) < keep) {
				t.Fatalf("%v: it goes at look %d, after %v", keep, looks, now.Sub(first))
			}
			if !due && !goes.After(now) {
				t.Fatalf("%v: it is not due and goes on %v, now is %v", keep, goes, now)
			}
			now = now.Add(time.Duration(r.Int64N(int64(keep))))
		}
		now, v = first, Vanishing{}
		step := keep / 16
		for range 18 {
			v.Count(now, keep)
			now = now.Add(step)
		}
		if _, due := v.Goes(now.Add(-step), keep); !due {
			t.Fatalf("%v: it does not go after %v: %+v", keep, 17*step, v)
		}
	}
}

func TestVanishingRest(t *testing.T) {
	start, keep := time.Unix(1_800_000_000, 0), 80*24*time.Hour
	var v Vanishing
	v.Count(start, keep)
	v.Rest(start.Add(5 * 24 * time.Hour))
	v.Count(start.Add(6*24*time.Hour), keep)
	if v.Counted != 86400 {
		t.Errorf("%+v", v)
	}
}

// TestVanishedNote: a note is kept, and a damaged one or none lets all begin anew.
func TestVanishedNote(t *testing.T) {
	d := In(t.TempDir())
	n := d.Vanished("j")
	if all, err := n.Read(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	x := Vanishing{GUID: 1<<64 - 1, First: 5, Seen: 6, Counted: 7, Begun: 3}
	if err := n.Write(map[string]Vanishing{"b/x": x, "b/y": {First: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := n.Forget([]string{"b/y", "b/z"}); err != nil {
		t.Fatal(err)
	}
	if all, err := n.Read(); err != nil || len(all) != 1 || all["b/x"] != x {
		t.Errorf("%v, %v", all, err)
	}
	for _, text := range []string{"", "null", "{", `{"b/x": 5}`, `{"b/x": {"first": "x"}}`} {
		if err := os.WriteFile(d.Path("j.vanished"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if all, err := n.Read(); err != nil || len(all) != 0 || all == nil {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	}
	if err := n.Forget([]string{"b/x"}); err != nil {
		t.Error(err)
	}
	if err := n.Write(nil); err != nil || d.Has("j.vanished") {
		t.Errorf("%v", err)
	}
	if err := (Dir{}).Vanished("j").Write(map[string]Vanishing{"b/x": x}); err == nil {
		t.Error("a note is kept nowhere")
	}
}
