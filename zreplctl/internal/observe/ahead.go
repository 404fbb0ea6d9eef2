package observe

import (
	"context"
	"sync"
)

// ahead asks about snapshots while others are still being listed: both take
// their time, and neither needs the other.
type ahead struct {
	ctx   context.Context
	host  *host
	names []string // whose holds are asked for
	dates []string // whose creation is
	under sync.WaitGroup
	mu    sync.Mutex // of err
	err   error
}

func newAhead(ctx context.Context, h *host) *ahead { return &ahead{ctx: ctx, host: h} }

// add takes names, and asks about them once there are many.
func (a *ahead) add(names, dates []string) {
	a.names, a.dates = append(a.names, names...), append(a.dates, dates...)
	if len(a.dates) >= earlyNames || len(a.names) >= earlyNames {
		a.ask()
	}
}

// ask asks about what was added. The next one waits for the last one.
func (a *ahead) ask() {
	names, dates := a.names, a.dates
	a.names, a.dates = nil, nil
	if len(dates)+len(names) == 0 {
		return
	}
	a.under.Wait()
	a.under.Go(func() {
		err := a.host.ask(a.ctx, a.host.fresh(names))
		if err == nil {
			err = a.host.date(a.ctx, dates)
		}
		if err != nil {
			a.mu.Lock()
			a.err = err
			a.mu.Unlock()
		}
	})
}

// end returns when all answers are there.
func (a *ahead) end() error {
	a.ask()
	a.under.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}
