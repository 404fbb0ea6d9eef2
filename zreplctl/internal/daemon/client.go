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

// maxWaiting is how many connections of one client may be about to pass their
// descriptors.
const maxWaiting = 32

// client is one client identity: its socket and its connections.
type client struct {
	d       *daemon
	job     *config.Job
	log     *slog.Logger
	refused rarely
	waiting chan struct{}

	mu          sync.Mutex
	listener    *transport.Listener // nil: it cannot be listened for
	problem     string              // why
	connections []*connection       // in the order in which they came
	runs        []string            // that were seen, the newest last
}

// connection is one served connection.
type connection struct {
	process  *child.Process // nil: not known yet
	unwanted bool
	since    time.Time
	run      string // the client's, once serve has told it
	call     string
}

func newClient(d *daemon, j *config.Job) *client {
	return &client{d: d, job: j, log: d.Log.With("job", j.Name, "client", j.Serve.ClientIdentity),
		waiting: make(chan struct{}, maxWaiting)}
}

// listen makes the client's socket, or notes why it cannot.
func (c *client) listen() error {
	l, err := transport.Listen(c.d.Config.Global.SockDir, c.job.Serve.ClientIdentity)
	c.mu.Lock()
	before := c.problem
	c.listener, c.problem = l, ""
	if err != nil {
		c.listener, c.problem = nil, child.Clean(err.Error(), 1000)
	}
	now := c.problem
	c.mu.Unlock()
	c.d.changed.ring()
	switch {
	case now != "" && now != before:
		c.log.Error("cannot serve this job's client", "error", err, "again in", c.d.Retry)
	case now == "" && before != "":
		c.log.Info("can serve this job's client now")
	}
	return err
}

// run lets connections in until ctx is cancelled. Without a socket it tries
// again and again to make one.
func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.mu.Lock()
		l := c.listener
		c.mu.Unlock()
		if l == nil {
			pause(ctx, c.d.Retry)
			if ctx.Err() == nil {
				c.listen()
			}
			continue
		}
		c.accept(ctx, l)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener != nil {
		c.listener.Close()
	}
}

func (c *client) accept(ctx context.Context, l *transport.Listener) {
	for {
		p, err := l.Accept(ctx)
		switch {
		case errors.Is(err, net.ErrClosed) || ctx.Err() != nil:
			if err == nil {
				p.Refuse(cli.TryLater, "the daemon is ending")
			}
			return
		case err != nil: // out of descriptors, most likely
			if missed, speak := c.refused.now(); speak {
				c.log.Error("cannot accept a connection", "error", err, "more", missed)
			}
			const noRoom = "the daemon has no descriptors left"
			if c.d.room.withReserve(func() error { return l.TurnAway(cli.TryLater, noRoom) }) != nil {
				pause(ctx, time.Second)
			}
			continue
		}
		c.wait(ctx, p)
	}
}

// wait lets a connection pass its descriptors, unless too many are about to.
func (c *client) wait(ctx context.Context, p *transport.Passed) {
	const tooMany = "too many connections at once"
	select {
	case c.waiting <- struct{}{}:
	default:
		p.Refuse(cli.TryLater, tooMany)
		return
	}
	select {
	case c.d.room.waiting <- struct{}{}:
		c.d.children.Go(func() { c.take(ctx, p) })
	default:
		<-c.waiting
		p.Refuse(cli.TryLater, tooMany)
	}
}

// take receives a connection's descriptors and serves it.
func (c *client) take(ctx context.Context, p *transport.Passed) {
	err := p.Receive()
	<-c.waiting
	<-c.d.room.waiting
	if err == nil {
		err = c.serve(ctx, p)
	}
	if err == nil {
		return
	}
	if missed, speak := c.refused.now(); speak {
		c.log.Warn("refused a connection", "error", err, "more", missed)
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
	if err := c.add(conn); err != nil {
		status.started()
		p.Refuse(cli.TryLater, err.Error())
		return err
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

func (c *client) add(conn *connection) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.d.room.enter(len(c.connections)); err != nil {
		return err
	}
	c.connections = append(c.connections, conn)
	c.d.changed.ring()
	return nil
}

func (c *client) remove(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connections = slices.DeleteFunc(c.connections, func(o *connection) bool { return o == conn })
	c.d.room.leave()
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

// state is what there is to see: the connections, and why there can be none.
func (c *client) state() (all []control.Connection, problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.connections {
		s := control.Connection{Since: progress.At(o.since), Run: o.run, Call: o.call}
		if o.process != nil {
			s.PID = o.process.PID()
		}
		all = append(all, s)
	}
	return all, c.problem
}
