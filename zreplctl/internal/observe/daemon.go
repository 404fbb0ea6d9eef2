package observe

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Daemon is what the daemon's note says of it.
func Daemon(c *config.Config) health.Daemon {
	d, _, _ := readDaemon(c)
	return d
}

// readDaemon reads the note that a daemon leaves: its socket is only for its
// owner. Started is when the last one began, and broken says, by job, why clients
// cannot reach it.
func readDaemon(c *config.Config) (d health.Daemon, started time.Time, broken map[string]string) {
	note, running := job.ReadDaemon(state.Of(c.Global))
	if !running {
		d.Died = note.PID > 0 // it removes its note if it can
		return d, note.Started.Time, nil
	}
	d.Running = true
	d.Stale = note.Config != "" && note.Sum != "" && note.Sum != Sum(note.Config)
	return d, note.Started.Time, note.Broken
}

// replaced reports whether something else, such as cron, runs all jobs that have
// an interval since the daemon died that began at started, and lets clients in to
// those that serve.
func replaced(jobs []health.Facts, started time.Time) bool {
	var first time.Time // of the runs that no daemon began
	for _, f := range jobs {
		switch {
		case f.Interval == 0:
			continue
		case !f.Alone || !f.Success.After(started):
			return false
		case first.IsZero() || f.Success.Before(first):
			first = f.Success
		}
	}
	for _, f := range jobs {
		came := func(s health.Session) bool { return s.Ended.After(first) }
		if len(f.Serves) > 0 && !slices.ContainsFunc(f.Sessions, came) {
			return false
		}
	}
	return !first.IsZero()
}

// Sum is the checksum of a configuration's text, with all that it includes, or
// empty if it cannot be read.
func Sum(path string) string {
	text, err := config.ReadText(path)
	if err != nil {
		return ""
	}
	return SumText(text)
}

// SumText is the checksum of a text.
func SumText(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
