package job

import (
	"os"
	"path/filepath"
	"time"
)

// A run notes that it begins in a file of the run directory, and removes that
// when its record is written. One that is left without a process says that the
// run was killed, or that this host went down.
func begunPath(rundir, job string) string { return filepath.Join(rundir, job+".begun") }

// begin makes the note. Without it a run that is killed leaves no trace, which
// is no reason not to run.
func begin(rundir, job string) { _ = writeState(begunPath(rundir, job), nil) }

func end(rundir, job string) { os.Remove(begunPath(rundir, job)) }

// Begun tells when a run of a job began that has not ended in order, and
// whether it is still going on. Without such a run when is zero.
func Begun(rundir, job string) (when time.Time, running bool) {
	info, err := os.Stat(begunPath(rundir, job))
	if err != nil {
		return time.Time{}, false
	}
	lock, err := os.Open(filepath.Join(rundir, job+".lock"))
	if err != nil {
		return info.ModTime(), false
	}
	defer lock.Close()
	return info.ModTime(), ownerLives(lock)
}
