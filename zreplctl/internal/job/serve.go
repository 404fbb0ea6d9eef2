package job

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// Event is a line of JSON that serve writes for the daemon.
type Event struct {
	Call    string `json:"call"`              // hello, send, receive, list; idle when one has ended
	Run     string `json:"run,omitempty"`     // of hello: the client's run
	Dataset string `json:"dataset,omitempty"` // of send and receive
}

// patience is how many times as long as its job says a server lets a stream
// stall: the client, who can say what happened, is to notice first.
const patience = 2

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
		if status != nil {
			json.NewEncoder(status).Encode(e)
		}
	}
	lock := clientLock{rundir: c.Global.RunDir, client: client}
	service := &endpoint.Service{Client: client,
		Hello: func(ctx context.Context, job, run string) error {
			if err := lock.take(ctx, job, run); err != nil {
				return err
			}
			tell(Event{Call: "hello", Run: run})
			return nil
		},
		Doing: func(what, dataset string) {
			if what == "" {
				what = "idle"
			}
			tell(Event{Call: what, Dataset: dataset})
		}}
	server := &rpc.Server{}
	switch j.Type {
	case config.Source:
		s := p.sender(j)
		s.Stall *= patience
		endpoint.ServeSender(server, service, s, p.sendFrame(j))
	case config.PushSink:
		r := p.receiver(j)
		r.Stall *= patience
		endpoint.ServeReceiver(server, service, r)
	default:
		return fmt.Errorf("job %q of type %s serves nobody", j.Name, j.Type)
	}
	return server.Serve(ctx, in, out)
}
