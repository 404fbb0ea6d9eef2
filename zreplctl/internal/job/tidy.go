package job

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A job's mark is a file in the run directory. As long as it is there the last
// run left nothing behind, and the next one need not look at every hold, which
// takes long where there are many snapshots. Its time is when a run last did.
func markPath(rundir, job string) string { return filepath.Join(rundir, job+".tidy") }

// trust is for how long a run relies on what the runs before it left: a person
// may have let go of a hold meanwhile.
const trust = 24 * time.Hour

// Meddle keeps runs of a job away until done is called, and has the next one
// look at all that is held, since somebody else changes that. The error is
// ErrRunning while a run is going on.
func Meddle(ctx context.Context, rundir, job string) (done func(), err error) {
	file, err := lock(ctx, rundir, job)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(markPath(rundir, job)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		file.Close()
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
	if age := time.Since(info.ModTime()); age < 0 || age > trust {
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
