package job

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// begun is the note that a run makes when it begins, and removes when its
// record is written. A note that is left without a process says that the run
// was killed, or that this host went down.
type begun struct {
	PID  int    `json:"pid"`
	Boot string `json:"boot,omitempty"` // after another boot a process of this number is another one
	Part string `json:"part,omitempty"` // see Run.part
	Born uint64 `json:"born,omitempty"` // see DaemonNote
}

const maxBegun = 1 << 10

func begunName(job string) string { return job + ".begun" }

// begin makes the note. A run that cannot make it fails later, when it cannot
// write its record.
func begin(dir state.Dir, job, part string) {
	_ = dir.Remove(progressName(job)) // of a run that was killed
	born, _ := processBorn(os.Getpid())
	text, err := json.Marshal(begun{os.Getpid(), bootID(), part, born})
	if err == nil {
		_ = dir.Write(begunName(job), append(text, '\n'))
	}
}

func end(dir state.Dir, job string) { _ = dir.Remove(begunName(job)) }

// Begun tells when a run of a job began that has not ended in order, and
// whether it is still running. Without such a run when is zero.
func Begun(dir state.Dir, rundir, job string) (when time.Time, running bool, err error) {
	info, err := os.Stat(dir.Where(begunName(job)))
	if err != nil {
		return time.Time{}, false, unlessMissing(err)
	}
	lock, err := os.Open(filepath.Join(rundir, job+".lock"))
	if err == nil {
		defer lock.Close()
		return info.ModTime(), ownerLives(lock), nil
	}
	// Those who only look may not read the lock.
	return info.ModTime(), !os.IsNotExist(err) && beginnerLives(dir, job), nil
}

// readBegun reads the note. A damaged one reads as that of a whole run without
// a process.
func readBegun(dir state.Dir, job string) (b begun) {
	text, err := dir.Read(begunName(job), maxBegun)
	if err != nil || json.Unmarshal(text, &b) != nil {
		return begun{}
	}
	return b
}

// beginnerLives reports whether the process that made the note is there.
func beginnerLives(dir state.Dir, job string) bool {
	b := readBegun(dir, job)
	if b.PID <= 0 || b.Boot != bootID() {
		return false
	}
	return lives(b.PID, b.Born)
}

// bootID is another one after each boot, or empty on systems without one.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
