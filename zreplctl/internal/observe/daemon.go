package observe

import (
	"crypto/sha256"
	"encoding/hex"
	"os"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// readDaemon reads the note that a daemon leaves: its socket is only for its
// owner.
func readDaemon(c *config.Config) (d health.Daemon) {
	note, running := job.ReadDaemon(state.Of(c.Global))
	if !running {
		return d
	}
	d.Running = true
	d.Stale = note.Config != "" && note.Sum != "" && note.Sum != Sum(note.Config)
	return d
}

// Sum is the checksum of a configuration's text, or empty if it cannot be read.
func Sum(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
