package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
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
	// Born is when the process began, as the system counts it: another process
	// may have its number later. 0: the system does not tell.
	Born uint64 `json:"born,omitempty"`
	// Broken says, by job, why its clients cannot reach it.
	Broken map[string]string `json:"broken,omitempty"`
}

const daemonNote = ".daemon"

// WriteDaemon notes that this process is the daemon.
func WriteDaemon(dir state.Dir, n DaemonNote) error {
	n.PID, n.Boot = os.Getpid(), bootID()
	n.Born, _ = processBorn(n.PID)
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
	return n, lives(n.PID, n.Born)
}

// lives reports whether a process is there, and is not another one that was
// given its number later. A born of 0 is not known.
func lives(pid int, born uint64) bool {
	if now, known := processBorn(pid); known && born != 0 {
		return now == born
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// processBorn is when a process began, in the system's ticks; 0 if it has ended
// and only waits to be reaped. Known is false where the system does not tell, or
// not those who ask.
func processBorn(pid int) (born uint64, known bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	at := bytes.LastIndexByte(text, ')') // the program's name may hold anything
	const state, start = 0, 19           // of the fields behind it
	f := strings.Fields(string(text[at+1:]))
	if at < 0 || len(f) <= start {
		return 0, false
	}
	if f[state] == "Z" || f[state] == "X" {
		return 0, true
	}
	born, err = strconv.ParseUint(f[start], 10, 64)
	return born, err == nil
}
