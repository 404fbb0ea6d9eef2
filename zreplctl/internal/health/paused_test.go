package health

import (
	"strings"
	"testing"
	"time"
)

// TestPaused: a paused job says so, and a pause hides nothing that is wrong.
func TestPaused(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	f := Facts{Name: "a", Type: "prune", Interval: time.Hour, Warn: 3 * time.Hour, Crit: 12 * time.Hour,
		Attempt: now.Add(-time.Hour), Success: now.Add(-time.Hour), OK: true, Paused: true, Until: now.Add(2 * time.Hour)}
	if j := judgeJob(f, now, Daemon{Running: true}); j.State != Paused || j.Level != Good || j.Why != "a person paused it for 2h more" {
		t.Errorf("%+v", j)
	}
	f.Running = true
	if j := judgeJob(f, now, Daemon{Running: true}); j.State != Running {
		t.Errorf("a run is on: %+v", j)
	}
	f.Running, f.Until, f.Success = false, time.Time{}, now.Add(-24*time.Hour)
	if j := judgeJob(f, now, Daemon{Running: true}); j.State != Late || j.Level != Critical || !strings.HasSuffix(j.Why, "; a person paused it") {
		t.Errorf("late: %+v", j)
	}
}
