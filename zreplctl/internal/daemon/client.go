package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transport"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/pause"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// maxWaiting is how many connections of one client may be about to pass their
// descriptors.
const maxWaiting = 32

// client is one client identity: its socket and its connections.
type client struct {
	d        *daemon
	identity string
	refused  rarely
	waiting  chan struct{}
	ended    chan struct{} // closed when nobody listens for it; nil: nobody has begun

	job atomic.Pointer[job] // that serves it now

	mu          sync.Mutex
	quit        context.CancelFunc  // ends the listening
	gone        bool                // the configuration has it no more
	listener    *transport.Listener // nil: it cannot be listened for
	problem     string              // why
	unserved    string              // why the last connection found no server; "": it did
	connections []*connection       // in the order in which they came
	runs        []string            // that were seen, the newest last
	sessions    map[string]*tally   // by run, those that have connections
}

// connection is one served connection.
type connection struct {
	process  *child.Process // nil: not known yet
	unwanted bool
	since    time.Time
	run      string // the client's, once serve has told it
	call     string
	tally    *tally // of its session; nil until it has said its run
}

func newClient(d *daemon, j *job, identity string) *client {
	c := &client{d: d, identity: identity, waiting: make(chan struct{}, maxWaiting)}
	c.job.Store(j)
	return c
}

func (c *client) log() *slog.Logger {
	return c.d.Log.With("job", c.job.Load().name, "client", c.identity)
}

// listen makes the client's socket, or notes why it cannot.
func (c *client) listen() error {
	l, err := transport.Listen(c.d.conf().Global.SockDir, c.identity)
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
		c.log().Error("cannot serve this job's client", "error", err, "again in", c.d.Retry)
	case now == "" && before != "":
		c.log().Info("can serve this job's client now")
	}
	return err
}

// start lets connections in until ctx is cancelled, or the client is dropped.
func (c *client) start(ctx context.Context) {
	listening, quit := context.WithCancel(ctx)
	ended := make(chan struct{})
	c.mu.Lock()
	c.quit, c.ended, c.gone = quit, ended, false
	c.mu.Unlock()
	c.d.children.Go(func() {
		defer close(ended)
		defer quit()
		c.run(ctx, listening)
	})
}

// drop stops to listen for the client. What it has begun goes on.
func (c *client) drop() {
	c.mu.Lock()
	c.gone = true
	quit, ended := c.quit, c.ended
	c.mu.Unlock()
	quit()
	<-ended
}

// run lets connections in until listening is cancelled; those that are served
// end with serving. Without a socket it tries again and again to make one.
func (c *client) run(serving, ctx context.Context) {
	for ctx.Err() == nil {
		c.mu.Lock()
		l := c.listener
		c.mu.Unlock()
		if l == nil {
			wait(ctx, c.d.Retry)
			if ctx.Err() == nil {
				c.listen()
			}
			continue
		}
		c.accept(serving, ctx, l)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener != nil {
		c.listener.Close()
		c.listener = nil
	}
}

func (c *client) accept(serving, ctx context.Context, l *transport.Listener) {
	for {
		p, err := l.Accept(ctx)
		switch {
		case errors.Is(err, net.ErrClosed) || ctx.Err() != nil:
			if err == nil {
				p.Refuse(cli.TryLater, "the daemon does not listen here now")
			}
			return
		case err != nil: // out of descriptors, most likely
			if missed, speak := c.refused.now(); speak {
				c.log().Error("cannot accept a connection", "error", err, "more", missed)
			}
			const noRoom = "the daemon has no descriptors left"
			if c.d.room.withReserve(func() error { return l.TurnAway(cli.TryLater, noRoom) }) != nil {
				wait(ctx, time.Second)
			}
			continue
		}
		c.wait(serving, p)
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
	if !c.d.room.arrive() {
		<-c.waiting
		p.Refuse(cli.TryLater, tooMany)
		return
	}
	c.d.children.Go(func() { c.take(ctx, p) })
}

// take receives a connection's descriptors and serves it.
func (c *client) take(ctx context.Context, p *transport.Passed) {
	err := p.Receive()
	<-c.waiting
	c.d.room.arrived()
	if err == nil {
		err = c.serve(ctx, p)
	}
	if err == nil {
		return
	}
	if missed, speak := c.refused.now(); speak {
		c.log().Warn("refused a connection", "error", err, "more", missed)
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
	if paused, _, err := pause.Look(state.Of(c.d.Config.Global), c.job.Load().name, wall()); err != nil {
		status.started()
		p.Refuse(cli.TryLater, "the daemon cannot read its state")
		return err
	} else if paused {
		status.started()
		p.Refuse(cli.TryLater, "the job of this client is paused")
		return nil
	}
	if err := c.add(conn); err != nil {
		status.started()
		p.Refuse(cli.TryLater, err.Error())
		return err
	}
	defer c.remove(conn)
	gone := p.Gone()
	process, err := c.d.start(ctx, child.Cmd{
		Args:  append([]string{c.d.Program, "serve", c.identity, "-status-fd", "3"}, c.d.common()...),
		Stdin: p.In, Stdout: p.Out, Extra: []*os.File{status.child},
		Stderr:     &child.Tail{Max: 2 << 10},
		StderrCopy: &lineWriter{line: func(s string) { c.log().Info(child.Clean(s, 1000)) }},
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
	status.heard() // what it told of its run counts
	c.noteServed(conn, end)
	p.End(end.Code)
	c.logConnection(conn, process.PID(), end)
	return nil
}

// noteServed notes whether a server that has ended ever served. Status 2 is the
// fault of this host, of its configuration or its folders, and no client can
// cause it: until a server greets one again, none is served.
func (c *client) noteServed(conn *connection, end child.Status) {
	c.mu.Lock()
	before := c.unserved
	switch {
	case conn.run != "":
		c.unserved = ""
	case end.Code == cli.Usage:
		c.unserved = child.Clean("cannot serve clients: "+end.Stderr, 1000)
	}
	now := c.unserved
	c.mu.Unlock()
	if now != "" && now != before {
		c.log().Error("cannot serve this job's client", "error", now)
	}
	c.d.changed.ring()
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
	c.endSession(conn)
	c.d.room.leave()
	c.d.changed.ring()
}

// isOver reports whether there is nothing left of a client that was dropped.
func (c *client) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone && len(c.connections) == 0
}

// told takes a line of serve's status.
func (c *client) told(conn *connection, line []byte) {
	var s struct {
		Run   string `json:"run"`
		Call  string `json:"call"`
		Name  string `json:"dataset"`
		Moved uint64 `json:"bytes"`
	}
	if json.Unmarshal(line, &s) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.Call {
	case "":
	case "moved":
		conn.tally.moved(s.Moved)
	default:
		conn.call = child.Clean(s.Call, 64)
		if s.Call == "send" || s.Call == "receive" || s.Call == "restore" {
			conn.tally.count(s.Name)
		}
	}
	if s.Run != "" && conn.run == "" {
		conn.run = child.Clean(s.Run, 128)
		c.beginSession(conn)
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
		c.log().Warn("a connection of a run that a newer one has ended", "run", conn.run)
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
			c.log().Info("ending a connection of an older run", "run", o.run, "newer", conn.run)
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

// stop ends the connections that there are, and returns how many.
func (c *client) stop() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.connections {
		o.end()
	}
	return len(c.connections)
}

// state is what there is to see: the connections, and why there can be none.
func (c *client) state() (all []control.Connection, problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.connections {
		s := control.Connection{Client: c.identity, Since: progress.At(o.since), Run: o.run, Call: o.call}
		if o.process != nil {
			s.PID = o.process.PID()
		}
		all = append(all, s)
	}
	return all, cmp.Or(c.problem, c.unserved)
}
