package daemon

import (
	"context"
	"log/slog"
	"sync"
)

// troubles says what is wrong once for each change, and not each time.
type troubles struct {
	mu   sync.Mutex
	last map[string]string // by what it is about
}

// tell logs an error, nil being none, if it is another than the last time.
func (t *troubles) tell(log *slog.Logger, about string, err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	t.mu.Lock()
	was := t.last[about]
	if t.last == nil {
		t.last = map[string]string{}
	}
	t.last[about] = now
	t.mu.Unlock()
	switch {
	case now == was:
	case now == "":
		log.Info("no longer: " + about)
	default:
		log.Warn(about, "error", now)
	}
}

// repeats leaves lines out of the log that the run before said, too.
type repeats struct {
	mu          sync.Mutex
	before, now map[string]bool
}

// maxRepeats bounds how many lines of a run are remembered.
const maxRepeats = 1000

func (r *repeats) log(ctx context.Context, log *slog.Logger, line string) {
	level := slog.LevelInfo
	r.mu.Lock()
	known := r.before[line]
	if r.now == nil {
		r.now = map[string]bool{}
	}
	if len(r.now) < maxRepeats {
		r.now[line] = true
	}
	r.mu.Unlock()
	if known {
		level = slog.LevelDebug
	}
	log.Log(ctx, level, line)
}

// turn says that a run has ended.
func (r *repeats) turn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before, r.now = r.now, nil
}
