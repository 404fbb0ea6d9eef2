package job

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// A job's mark is a file in the run directory. While it is there the last run
// left nothing behind, and the next one need not look for leftovers among all
// holds, which takes long where there are many snapshots. Its time is when a
// run last did. What the bases are held by is looked at in every run.
func markPath(rundir, job string) string { return filepath.Join(rundir, job+".tidy") }

// leftoverAge is how often leftovers are looked for without a reason: a
// dataset may have left the rules meanwhile.
const leftoverAge = 24 * time.Hour

// KeepAway keeps runs of a job away until done is called, while somebody else
// changes what is held. The error is ErrRunning while a run is going on.
func KeepAway(ctx context.Context, rundir, job string) (done func(), err error) {
	file, err := lock(ctx, rundir, job)
	if err != nil {
		return nil, err
	}
	return func() { file.Close() }, nil
}

// takeMark removes the mark, and returns its time, or zero where there is none
// to be relied on.
func takeMark(path string) time.Time {
	info, err := os.Stat(path)
	os.Remove(path)
	if err != nil {
		return time.Time{}
	}
	if age := time.Since(info.ModTime()); age < 0 || age > leftoverAge {
		return time.Time{}
	}
	return info.ModTime()
}

// putMark makes the mark. Without it the next run only takes longer.
func putMark(path string, looked time.Time) {
	if writeState(path, nil) == nil {
		os.Chtimes(path, looked, looked)
	}
}
