package job

import (
	"encoding/json"
	"errors"
	"os"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// DaemonNote is what a daemon says of itself to those who cannot reach its
// socket.
type DaemonNote struct {
	PID     int           `json:"pid"`
	Boot    string        `json:"boot,omitempty"`
	Started progress.Time `json:"started,omitzero"`
	Config  string        `json:"config"` // path
	Sum     string        `json:"sum"`    // SHA-256 of its text when the daemon read it
}

const daemonNote = ".daemon"

// WriteDaemon notes that this process is the daemon.
func WriteDaemon(dir state.Dir, n DaemonNote) error {
	n.PID, n.Boot = os.Getpid(), bootID()
	text, err := clean.JSON(n)
	if err != nil {
		return err
	}
	return dir.Write(daemonNote, append(text, '\n'))
}

// RemoveDaemon removes the note.
func RemoveDaemon(dir state.Dir) error { return dir.Remove(daemonNote) }

// ReadDaemon reads the note, and says whether the daemon runs.
func ReadDaemon(dir state.Dir) (n DaemonNote, running bool) {
	text, err := dir.Read(daemonNote, 64<<10)
	if err != nil || json.Unmarshal(text, &n) != nil || n.PID <= 0 || n.Boot != bootID() {
		return n, false
	}
	return n, !errors.Is(syscall.Kill(n.PID, 0), syscall.ESRCH)
}
