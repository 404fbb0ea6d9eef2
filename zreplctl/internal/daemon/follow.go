package daemon

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// A run keeps what it said for one who follows slowly, up to maxKept bytes; the
// oldest events go first. Each counts eventSize besides its text.
const (
	maxKept   = 16 << 20
	eventSize = 64
)

// followed is a run that somebody asked for and may follow; the zero one is
// one that nobody asked for.
type followed struct {
	ask control.Request

	mu       sync.Mutex
	kept     []control.Event // but for progress
	size     int             // of kept
	first    int             // the number of kept[0]
	progress *progress.Snapshot
	news     int // how many times progress was told
	ended    bool
	arrive   *bell
}

func newFollowed(ask control.Request) *followed { return &followed{ask: ask, arrive: newBell()} }

// isAsked reports whether a person asked for the run.
func (f *followed) isAsked() bool { return f.arrive != nil }

func sizeOf(e control.Event) int { return eventSize + len(e.Stdout) + len(e.Stderr) }

func (f *followed) add(e control.Event) {
	if f.arrive == nil {
		return
	}
	f.mu.Lock()
	if e.Progress != nil {
		f.progress = e.Progress // only the newest is worth anything
		f.news++
	} else {
		f.kept = append(f.kept, e)
		f.size += sizeOf(e)
	}
	for f.size > maxKept {
		f.size -= sizeOf(f.kept[0])
		f.kept[0] = control.Event{}
		f.kept = f.kept[1:]
		f.first++
	}
	f.ended = f.ended || e.Exit != nil
	f.mu.Unlock()
	f.arrive.ring()
}

// events gives all events from the first, and ends behind the last or when
// ctx is cancelled.
func (f *followed) events(ctx context.Context) iter.Seq[control.Event] {
	return func(yield func(control.Event) bool) {
		var seen place
		for {
			arrives := f.arrive.next()
			e, got, ended := f.take(&seen)
			switch {
			case got && !yield(e):
				return
			case got:
				continue
			case ended:
				return
			}
			select {
			case <-arrives:
			case <-ctx.Done():
				return
			}
		}
	}
}

// place is how far somebody has followed.
type place struct{ event, news int }

// take returns what comes next for somebody, if there is something.
func (f *followed) take(seen *place) (e control.Event, got, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if seen.news < f.news && !f.ended {
		seen.news = f.news
		return control.Event{Progress: f.progress}, true, false
	}
	if missing := f.first - seen.event; missing > 0 {
		seen.event = f.first
		return control.Event{Stderr: fmt.Sprintf("zreplctl: %d lines are missing here: they came faster than they were read\n", missing)}, true, false
	}
	if i := seen.event - f.first; i < len(f.kept) {
		seen.event++
		return f.kept[i], true, false
	}
	return e, false, f.ended
}
