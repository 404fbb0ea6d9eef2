package config

import (
	"testing"
	"time"
)

// TestRateAt: the first window that a moment is in counts.
func TestRateAt(t *testing.T) {
	c := parseText(t, `jobs:
- {name: a, type: local, mapping: {"t<": b}, rate: {"08:00-18:00": 10K, "17:00-02:00": 20K}}
- {name: b, type: local, mapping: {"u<": c}, rate: 1K}
- {name: c, type: local, mapping: {"v<": d}}`)
	for clock, want := range map[int]int64{3: 0, 8: 10 << 10, 17: 10 << 10, 18: 20 << 10, 1: 20 << 10, 2: 0} {
		at := time.Date(2026, 5, 1, clock, 0, 0, 0, time.UTC)
		if got := c.Jobs[0].Rate.At(at, time.UTC); got != want {
			t.Errorf("at %d: %d, not %d", clock, got, want)
		}
		if b, c := c.Jobs[1].Rate.At(at, time.UTC), c.Jobs[2].Rate.At(at, time.UTC); b != 1<<10 || c != 0 {
			t.Error(b, c)
		}
	}
}
