package observe

import (
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

// TestReplaced: a daemon that died is missed until each job that it should run
// was run without one, and with success.
func TestReplaced(t *testing.T) {
	started := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	run := func(alone bool, after time.Duration) health.Facts {
		return health.Facts{Interval: time.Hour, Alone: alone, Success: started.Add(after)}
	}
	byHand := health.Facts{}
	serving := func(after time.Duration) health.Facts {
		return health.Facts{Serves: []string{"me"}, Sessions: []health.Session{{Client: "me", Ended: started.Add(after)}}}
	}
	for what, c := range map[string]struct {
		jobs []health.Facts
		want bool
	}{
		"all":                  {[]health.Facts{run(true, 1), run(true, 2), byHand}, true},
		"not all":              {[]health.Facts{run(true, 1), run(false, 2)}, false},
		"before that daemon":   {[]health.Facts{run(true, -1)}, false},
		"without a success":    {[]health.Facts{{Interval: time.Hour, Alone: true}}, false},
		"nobody serves":        {[]health.Facts{run(true, 2), serving(1)}, false},
		"clients come":         {[]health.Facts{run(true, 2), serving(3)}, true},
		"none has an interval": {[]health.Facts{byHand}, false},
	} {
		if got := replaced(c.jobs, started); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}
