package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transport"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

const (
	// maxConnections is how many connections one client may have: more than
	// a job's parallel can be, and what an older run has left.
	maxConnections = 128
	// maxWaiting is how many may be about to pass their descriptors.
	maxWaiting = 64
)

// client is one client identity: its socket and its connections.
type client struct {
	d        *daemon
	job      *config.Job
	listener *transport.Listener
	log      *slog.Logger
	waiting  chan struct{}

	mu          sync.Mutex
	connections []*connection // in the order in which they came
	runs        []string      // that were seen, the newest last
}

// connection is one served connection.
type connection struct {
	process  *child.Process // nil: not known yet
	unwanted bool
	since    time.Time
	run      string // the client's, once serve has told it
	call     string
}

func newClient(d *daemon, j *config.Job, l *transport.Listener) *client {
	return &client{d: d, job: j, listener: l, log: d.Log.With("client", j.Serve.ClientIdentity),
		waiting: make(chan struct{}, maxWaiting)}
}

// accept lets connections in until ctx is cancelled.
func (c *client) accept(ctx context.Context) {
	defer c.listener.Close()
	for {
		p, err := c.listener.Accept(ctx)
		switch {
		case errors.Is(err, net.ErrClosed) || ctx.Err() != nil:
			if err == nil {
				p.Refuse(cli.TryLater, "the daemon is ending")
			}
			return
		case err != nil: // out of descriptors, most likely
			c.log.Error("cannot accept a connection", "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case c.waiting <- struct{}{}:
			c.d.children.Go(func() { c.take(ctx, p) })
		default:
			go p.Refuse(cli.TryLater, "too many connections at once")
		}
	}
}

// take receives a connection's descriptors and serves it.
func (c *client) take(ctx context.Context, p *transport.Passed) {
	err := p.Receive()
	<-c.waiting
	if err != nil {
		c.log.Warn("refused a connection", "error", err)
		return
	}
	if err := c.serve(ctx, p); err != nil {
		c.log.Error("cannot serve a connection", "error", err)
	}
}

// serve runs `zreplctl serve` on a connection until it ends.
func (c *client) serve(ctx context.Context, p *transport.Passed) error {
	ending := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn := &connection{since: time.Now()}
	status, err := newReport(maxLine, func(line []byte) { c.told(conn, line) })
	if err != nil {
		p.Refuse(cli.TryLater, "the daemon has no descriptors left")
		return err
	}
	if !c.add(conn) {
		status.started()
		p.Refuse(cli.TryLater, "too many connections")
		return nil
	}
	defer c.remove(conn)
	gone := p.Gone()
	process, err := child.Start(ctx, child.Cmd{
		Args:  append([]string{c.d.Program, "serve", c.job.Serve.ClientIdentity, "-status-fd", "3"}, c.d.common()...),
		Stdin: p.In, Stdout: p.Out, Extra: []*os.File{status.child},
		Stderr:     &child.Tail{Max: 2 << 10},
		StderrCopy: &lineWriter{line: func(s string) { c.log.Info(child.Clean(s, 1000)) }},
		Group:      true, Lifeline: true,
	})
	status.started()
	if err != nil {
		p.Refuse(cli.TryLater, "the daemon cannot start a server")
		return err
	}
	p.CloseFiles()
	c.mu.Lock()
	conn.process = process
	if conn.unwanted {
		conn.end()
	}
	c.mu.Unlock()
	select {
	case <-process.Done():
	case <-gone: // zstdinserver, and so ssh's session
		cancel()
	}
	end := process.Wait()
	if ending.Err() != nil {
		p.Refuse(cli.TryLater, "the daemon is ending")
		return nil
	}
	p.End(end.Code)
	c.log.Debug("a connection has ended", "pid", process.PID(), "status", end.String())
	return nil
}

func (c *client) add(conn *connection) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.connections) >= maxConnections {
		return false
	}
	c.connections = append(c.connections, conn)
	c.d.changed.ring()
	return true
}

func (c *client) remove(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connections = slices.DeleteFunc(c.connections, func(o *connection) bool { return o == conn })
	c.d.changed.ring()
}

// told takes a line of serve's status.
func (c *client) told(conn *connection, line []byte) {
	var s struct {
		Run  string `json:"run"`
		Call string `json:"call"`
	}
	if json.Unmarshal(line, &s) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Call != "" {
		conn.call = child.Clean(s.Call, 64)
	}
	if s.Run != "" && conn.run == "" {
		conn.run = child.Clean(s.Run, 128)
		c.newRun(conn)
	}
	c.d.changed.ring()
}

// newRun ends what is left of a client's older runs: the client has given
// them up, and their processes would only stand in the way. A connection of
// a run that was given up already ends itself.
func (c *client) newRun(conn *connection) {
	const remembered = 16
	if at := slices.Index(c.runs, conn.run); at >= 0 && at < len(c.runs)-1 {
		c.log.Warn("a connection of a run that a newer one has ended", "run", conn.run)
		conn.end()
		return
	} else if at < 0 {
		c.runs = append(c.runs, conn.run)
		if len(c.runs) > remembered {
			c.runs = c.runs[1:]
		}
	}
	for _, o := range c.connections {
		if o.run != "" && o.run != conn.run {
			c.log.Info("ending a connection of an older run", "run", o.run, "newer", conn.run)
			o.end()
		}
	}
}

// end signals the server, which ends its children, or has that done as soon as
// it is known.
func (c *connection) end() {
	c.unwanted = true
	if c.process != nil {
		c.process.Signal(syscall.SIGTERM)
	}
}

// state is what there is to see.
func (c *client) state() []control.Connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []control.Connection
	for _, o := range c.connections {
		s := control.Connection{Since: progress.At(o.since), Run: o.run, Call: o.call}
		if o.process != nil {
			s.PID = o.process.PID()
		}
		all = append(all, s)
	}
	return all
}
