package job

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
)

// A job's mark is a file in the run directory. While it is there the last run
// left nothing behind but what the file names, and the next one need not look for leftovers among all
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
// to be relied on, and what the last run could not release.
func takeMark(path string) (looked time.Time, left replicate.Unreleased) {
	info, err := os.Stat(path)
	text, rerr := os.ReadFile(path)
	os.Remove(path)
	if err != nil || rerr != nil || len(text) > 0 && json.Unmarshal(text, &left) != nil {
		return time.Time{}, left
	}
	if age := time.Since(info.ModTime()); age < 0 || age > leftoverAge {
		return time.Time{}, left
	}
	return info.ModTime(), left
}

// putMark makes the mark. Without it the next run only takes longer.
func putMark(path string, looked time.Time, left replicate.Unreleased) {
	text, err := json.Marshal(left)
	if err == nil && writeState(path, text) == nil {
		os.Chtimes(path, looked, looked)
	}
}
