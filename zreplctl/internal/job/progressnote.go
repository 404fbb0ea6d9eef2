package job

import (
	"encoding/json"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// A run notes how far it is, for those who cannot ask it: at least noteEvery
// apart, and so rarely that this takes no more than a part in noteShare of its
// time.
const (
	noteEvery = 2 * time.Second
	noteShare = 50
)

// Notes are the names of the files that a run of the job changes while it is
// under way, and at its end.
func Notes(job string) []string { return []string{begunName(job), progressName(job), recordName(job)} }

func progressName(job string) string { return job + ".progress" }

// noteProgress notes the progress of a run until stop is called, which removes
// the note. It fails in nothing: the run matters more.
func noteProgress(dir state.Dir, job string, t *progress.Tracker) (stop func()) {
	if dir.IsNone() {
		return func() {}
	}
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		wait := time.NewTimer(noteEvery)
		defer wait.Stop()
		for {
			select {
			case <-quit:
				_ = dir.Remove(progressName(job))
				return
			case <-wait.C:
			}
			began := time.Now()
			if s := t.Snapshot(); len(s.Datasets) > 0 {
				if text, err := clean.JSON(s); err == nil {
					_ = dir.Write(progressName(job), append(text, '\n'))
				}
			}
			wait.Reset(max(noteEvery, noteShare*time.Since(began)))
		}
	}()
	return func() { close(quit); <-over }
}

// ReadProgress reads how far the run of a job is that is under way, by its own
// note. Nil: there is none, or it has not noted anything yet.
func ReadProgress(dir state.Dir, rundir, job string) *progress.Snapshot {
	if _, running, err := Begun(dir, rundir, job); err != nil || !running {
		return nil
	}
	text, err := dir.Read(progressName(job), maxRecord)
	if err != nil {
		return nil
	}
	var s progress.Snapshot
	if json.Unmarshal(text, &s) != nil {
		return nil
	}
	return &s
}
