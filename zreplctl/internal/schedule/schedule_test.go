package schedule

import (
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseCron(t *testing.T) {
	for _, good := range []string{"* * * * *", "0 0 29 2 *", "*/15 0-6,22-23 1-31/2 jan-dec SUN", "@hourly", "0 0 * * 5-7", "0 0 * * fri-sun", "0 0 30 2 mon"} {
		if _, err := ParseCron(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, c := range []struct{ bad, says string }{
		{"", "0 fields"}, {"* * * *", "4 fields"}, {"* * * * * *", "6 fields"},
		{"60 * * * *", `minute: "60" is not one of 0 to 59`}, {"* 24 * * *", "hour"}, {"* * 0 * *", "day of the month"},
		{"* * * 13 *", "month"}, {"* * * * 8", "day of the week"}, {"* * * foo *", "month"}, {"-1 * * * *", "minute"}, {"+1 * * * *", "minute"},
		{"*/0 * * * *", "a step is"}, {"*/x * * * *", "a step is"}, {"5/2 * * * *", "a step needs a range"}, {"9-3 * * * *", "ends before it begins"},
		{",1 * * * *", "minute"}, {"1,, * * * *", "minute"}, {"0 0 30 2 *", "a day that no year has"}, {"0 0 31 4,6,9,11 *", "a day that no year has"}, {"@reboot", "is unknown"},
	} {
		if _, err := ParseCron(c.bad); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.bad, err)
		}
	}
}

func TestParseWindow(t *testing.T) {
	for _, good := range []string{"22:00-06:00", "00:00-24:00", "08:30-17:45"} {
		if w, err := ParseWindow(good); err != nil || w.String() != good {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "22-6", "22:00", "22:00-22:00", "24:00-06:00", "22:60-06:00", "22:00-24:01", "22:00-06:00 ", "-1:00-06:00", "2:00-06:00"} {
		if w, err := ParseWindow(bad); err == nil {
			t.Errorf("%q is %s", bad, w)
		}
	}
}

// TestRareDays finds a day that is 8 or 40 years away.
func TestRareDays(t *testing.T) {
	for _, c := range []struct{ line, after, want string }{
		{"0 0 29 2 *", "2096-03-01", "2104-02-29"},
		{"0 0 29 2 */7", "2004-03-01", "2032-02-29"}, // a Sunday, as the weekday begins with a star
	} {
		cron, _ := parse(t, c.line, "")
		after, _ := time.Parse(time.DateOnly, c.after)
		if got := (Times{Cron: cron}).Next(after).Format(time.DateOnly); got != c.want {
			t.Errorf("%s after %s: %s, not %s", c.line, c.after, got, c.want)
		}
	}
}

// TestUTC: clocks that are never set give the same in two ways.
func TestUTC(t *testing.T) {
	zone := time.FixedZone("same", 0)
	for _, line := range []string{"30 2 * * *", "*/7 * * * *", "0-59/13 */5 1,15 * mon", "@monthly"} {
		cron, _ := parse(t, line, "")
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for range 300 {
			next := (Times{Cron: cron, Zone: time.UTC}).Next(at)
			if other := (Times{Cron: cron, Zone: zone}).Next(at); !other.Equal(next) || !next.After(at) {
				t.Fatalf("%s after %s: %s and %s", line, at, next, other)
			}
			at = next
		}
	}
}

// TestNextMoves: the next time is always later, also around all changes of the
// clocks of odd zones.
func TestNextMoves(t *testing.T) {
	for _, name := range []string{"UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "Europe/Dublin", "America/Havana", "Pacific/Apia", "Asia/Kathmandu"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Skip(err)
		}
		for _, line := range []string{"30 2 * * *", "*/20 * * * *", "0 0 * * *", "59 23 * * *", "0-59/7 1-3 * * *"} {
			cron, window := parse(t, line, "23:30-02:15")
			times := Times{Cron: cron, Zone: zone}
			windowed := Times{Interval: time.Hour, Window: window, Zone: zone}
			at, last := time.Date(2011, 12, 1, 0, 0, 0, 0, time.UTC), time.Time{}
			for range 2000 {
				next := times.Next(at)
				if !next.After(at) || next.Sub(at) > 50*time.Hour {
					t.Fatalf("%s, %s: %s after %s", name, line, next, at)
				}
				if between := times.Next(at.Add(next.Sub(at) / 2)); !between.Equal(next) {
					t.Fatalf("%s, %s: from between %s and %s it is %s", name, line, at, next, between)
				}
				start := windowed.Start(at)
				if !window.Has(start, zone) || start.Before(last) || start.Sub(at) > 50*time.Hour {
					t.Fatalf("%s: %s after %s", name, start, at)
				}
				if closes := window.Closes(start, zone); window.Has(closes, zone) || !window.Has(closes.Add(-time.Second), zone) {
					t.Fatalf("%s: closes at %s", name, closes)
				}
				at, last = next, start
			}
		}
	}
}

// TestLongest: the longest wait for a run is found, and soon.
func TestLongest(t *testing.T) {
	for _, c := range []struct {
		interval     time.Duration
		cron, window string
		want         time.Duration
	}{
		{15 * time.Minute, "", "", 15 * time.Minute},
		{15 * time.Minute, "", "22:00-06:00", 16*time.Hour + 15*time.Minute},
		{0, "30 2 * * 1-5", "", 72 * time.Hour},
		{0, "* * * * *", "", time.Minute},
		{0, "* * * * 1", "", 6*24*time.Hour + time.Minute},
		{0, "@monthly", "", 31 * 24 * time.Hour},
		{0, "0 * * * *", "02:00-03:00", 24 * time.Hour},
	} {
		cron, window := parse(t, c.cron, c.window)
		times := Times{Interval: c.interval, Cron: cron, Window: window, Zone: time.UTC}
		began := time.Now()
		if got := times.Longest(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); got != c.want {
			t.Errorf("%s %q %q: %s, not %s", c.interval, c.cron, c.window, got, c.want)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%q took %s", c.cron, took)
		}
	}
}

// TestSpread: the offsets are stable, and fill their tenth of an interval.
func TestSpread(t *testing.T) {
	const jobs, parts = 300, 10
	most := 6 * time.Minute
	var count [parts]int
	for i := range jobs {
		name := fmt.Sprintf("pull_host%03d", i)
		offset := Spread(name, most)
		if offset != Spread(name, most) || offset < 0 || offset >= most {
			t.Fatal(name, offset)
		}
		count[offset*parts/most]++
	}
	for _, n := range count {
		if n < jobs/parts/3 || n > jobs/parts*2 {
			t.Errorf("tenths of the offset: %v", count)
			break
		}
	}
	if Spread("a", 0) != 0 {
		t.Error("an offset of nothing")
	}
}

// TestPure: the package imports nothing of ours, and knows no clock.
func TestPure(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if strings.Contains(spec.Path.Value, ".") || spec.Path.Value == `"os"` && !strings.HasSuffix(path, "_test.go") {
				t.Errorf("%s imports %s", path, spec.Path.Value)
			}
		}
	}
}
