package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/reading"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Event is a line of JSON that serve writes for the daemon.
type Event struct {
	Call    string `json:"call"`              // hello, send, receive, list, digest; wait before hello; moved; idle when one has ended
	Run     string `json:"run,omitempty"`     // of hello and wait: the client's run
	Dataset string `json:"dataset,omitempty"` // of send and receive
	Bytes   uint64 `json:"bytes,omitempty"`   // of moved: those of a stream that has ended
}

// patience is how many times as long as its job says a server lets a stream
// stall: the client, who can say what happened, is to notice first. A client
// waits as long for a reply that is no stream, or longer.
const patience = 2

// maxBody is how long a request's body may be, and what its values may take
// besides, in bytes: what a client asks at once fits several times.
const maxBody = 8 << 20

// errUnchosen is all that a client hears if it cannot be said which datasets it
// may have: the reason may name others.
var errUnchosen = errors.New("the source cannot find out which datasets its select chooses: zreplctl log over there says why")

// Serve serves one connection of a client on in and out, until the client
// hangs up. Events go to status, where it is not nil.
func (p Programs) Serve(ctx context.Context, c *config.Config, client string, in, out *os.File, status io.Writer) error {
	j, err := c.Serving(client)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	tell := func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if text, err := clean.JSON(e); status != nil && err == nil {
			status.Write(append(text, '\n'))
		}
	}
	limits := c.Global.Limits.OrDefaults()
	lock := clientLock{rundir: c.Global.RunDir, client: client, state: state.Of(c.Global)}
	if err := lock.takePlace(limits.ClientConnections); err != nil {
		return err
	}
	seen, waiting := newVisit(), placesOf(c, j)
	before := &earlier{dir: state.Of(c.Global), client: client, look: p.coveredBefore(j, client)}
	service := &endpoint.Service{Client: client,
		Hello: func(ctx context.Context, job, run string) error {
			if err := lock.take(ctx, job, run); err != nil {
				return err
			}
			for _, p := range waiting {
				if err := p.take(ctx, client, run, func() { tell(Event{Call: "wait", Run: run}) }); err != nil {
					return err
				}
			}
			seen.hello()
			before.begin()
			tell(Event{Call: "hello", Run: run})
			return nil
		},
		Place: func(ctx context.Context) (func(), error) {
			return takeAll(ctx, waiting, client, func() { tell(Event{Call: "wait"}) })
		},
		Doing: func(what, dataset string) {
			if what == "" {
				what = "idle"
			}
			seen.doing(what, dataset)
			tell(Event{Call: what, Dataset: dataset})
		},
		Moved: func(bytes uint64) {
			seen.moved(bytes)
			tell(Event{Call: "moved", Bytes: bytes})
		},
		Renamed: func(from, to string) { seen.renames(state.Of(c.Global), client, from, to) }}
	files, endRates, err := rates(c.Global, j)
	if err != nil {
		return err
	}
	defer endRates()
	p.rates, p.reads = files, reading.In(c.Global.RunDir)
	server := &rpc.Server{Limits: rpc.Limits{Idle: limits.Idle, Silence: limits.Silence, JSON: maxBody, Decoded: maxBody}}
	var done func()
	var unchosen error // why the last look failed
	switch j.Type {
	case config.Source:
		s := p.sender(j, client, state.Of(c.Global))
		s.Stall *= patience
		service.Begin = func(ctx context.Context) error {
			narrow, err := choose.Look(ctx, p.ZFS, j)
			mu.Lock()
			unchosen = err
			mu.Unlock()
			if err != nil {
				return errUnchosen
			}
			s.Datasets = sources(narrow)
			return nil
		}
		done = endpoint.ServeSender(server, service, s, p.sendFrame(j))
	case config.PushSink:
		r := p.receiver(j, state.Of(c.Global))
		r.Stall *= patience
		if r.Back != nil {
			r.Back.Stall *= patience
			r.Back.Alone = lock.pinsAlone
		}
		done = endpoint.ServeReceiver(server, service, r)
	default:
		return fmt.Errorf("job %q of type %s does not serve clients", j.Name, j.Type)
	}
	err = server.Serve(ctx, in, out)
	done()
	if mu.Lock(); err == nil {
		err = unchosen
	}
	mu.Unlock()
	// Who cannot write there serves all the same: health then shows less.
	_ = seen.note(state.Of(c.Global), client, err)
	before.end(ctx)
	if status == nil && err != nil && err == unchosen { // a forced command: the client reads what we say
		return nil
	}
	return err
}
