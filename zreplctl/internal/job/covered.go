package job

import (
	"context"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

const (
	coveredPatience = 10 * time.Minute // how long the look at all holds may take
	coveredAgain    = 24 * time.Hour   // until the next after one that was killed
	coveredRetry    = time.Hour        // and after one that failed, perhaps with us
)

// earlier looks once for the datasets that were sent to a client, or received
// from it, before there were notes of that, or before they were lost. It asks
// for every snapshot of the host. Where that takes long, the end of the
// connection may kill us before it is over: so it works beside the connection,
// and not in every run.
type earlier struct {
	dir    state.Dir
	client string
	look   func(context.Context) ([]string, error)

	once sync.Once
	done chan struct{} // nil: there is nothing to look for
	quit context.CancelFunc
}

// begin starts the look if it is due.
func (e *earlier) begin() { e.once.Do(e.start) }

func (e *earlier) start() {
	due := false
	err := updateSessions(e.dir, e.client, func(s *sessions) {
		age := time.Since(s.Looked.Time)
		due = !s.Whole && !s.Cut && (age < 0 || age > coveredAgain)
		if due {
			s.Looked = progress.At(time.Now())
		}
	})
	if err != nil || !due {
		return
	}
	e.done = make(chan struct{})
	ctx, quit := context.WithTimeout(context.Background(), coveredPatience)
	e.quit = quit
	go func() {
		defer close(e.done)
		defer quit()
		names, err := e.look(ctx)
		// Who cannot write there serves all the same: health then shows less.
		_ = updateSessions(e.dir, e.client, func(s *sessions) {
			s.Whole = err == nil && !s.Cut
			s.cover(names)
			if err != nil {
				s.Looked = progress.At(time.Now().Add(coveredRetry - coveredAgain))
			}
		})
	}()
}

// end waits for the look. It gives it up once ctx is cancelled: the client's
// next run, which ends us for our locks, does not wait for long.
func (e *earlier) end(ctx context.Context) {
	e.once.Do(func() {})
	if e.done != nil {
		defer context.AfterFunc(ctx, e.quit)()
		<-e.done
	}
}

// coveredBefore returns what finds the datasets that bear a cursor of a
// client: those were sent to it once, or received from it.
func (p Programs) coveredBefore(j *config.Job, client string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) (names []string, err error) {
		all, err := endpoint.Protection(ctx, p.ZFS)
		tag := cursor.Tag(string(j.Type), client)
		if j.Type == config.PushSink {
			tag = cursor.LastTag(j.Name)
		}
		for _, one := range all {
			if ds, _, _ := dataset.Split(one.Name); one.Tag == tag {
				names = append(names, ds)
			}
		}
		return names, err
	}
}
