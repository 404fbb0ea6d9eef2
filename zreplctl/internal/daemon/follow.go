package daemon

import (
	"context"
	"iter"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// maxEvents is how many events a run keeps for one who follows slowly; the
// oldest go first.
const maxEvents = 1000

// followed is a run that somebody may follow.
type followed struct {
	skip string

	mu       sync.Mutex
	kept     []control.Event // but for progress
	first    int             // the number of kept[0]
	progress *progress.Snapshot
	news     int // how many times progress was told
	ended    bool
	arrive   *bell
}

func newFollowed(skip string) *followed { return &followed{skip: skip, arrive: newBell()} }

func (f *followed) add(e control.Event) {
	f.mu.Lock()
	if e.Progress != nil {
		f.progress = e.Progress // only the newest is worth anything
		f.news++
	} else {
		f.kept = append(f.kept, e)
	}
	if over := len(f.kept) - maxEvents; over > 0 {
		f.kept = append(f.kept[:0], f.kept[over:]...)
		f.first += over
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
	seen.event = max(seen.event, f.first)
	if i := seen.event - f.first; i < len(f.kept) {
		seen.event++
		return f.kept[i], true, false
	}
	return e, false, f.ended
}
