// Package control lets commands talk to a running daemon, over a Unix socket
// that only its owner can reach, with the calls of zrpc(5).
//
// It promises that a command prints the same and exits with the same status
// whether a job runs in its own process or in the daemon. It decides nothing
// about jobs.
package control

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
)

// ChildEnv is set for the jobs that the daemon starts, which must not ask the
// daemon to start them.
const ChildEnv = "ZREPLCTL_DAEMON_CHILD"

// ConfigEnv is the number of a descriptor that what the daemon starts has: the
// text of the configuration that the daemon has accepted.
const ConfigEnv = "ZREPLCTL_DAEMON_TEXT"

// Version of the calls. A command and a daemon of different versions do not
// talk.
const Version = 3

// The calls.
const (
	callHello  = "hello"
	callStatus = "status"
	callWatch  = "watch"
	callRun    = "run"
	callReload = "reload"
	callStop   = "stop"
	callLook   = "look"
)

// Status is what the daemon knows.
type Status struct {
	PID     int           `json:"pid,omitempty"` // of the daemon; 0: there is none
	Started progress.Time `json:"started,omitzero"`
	Config  string        `json:"config"`
	Jobs    []Job         `json:"jobs"`
}

// The states of a job.
const (
	Idle    = "idle"    // waits for its time, or to be told
	Running = "running" // a run is on
	Failed  = "failed"  // waits; the last run did not do all of it
	Serving = "serving" // waits for its client, or has it
	Waiting = "waiting" // it is due, and others are on
	Paused  = "paused"  // a person paused it
	Broken  = "broken"  // its client cannot reach it: Problem says why
)

// Job is one job's state.
type Job struct {
	Name     string             `json:"name"`
	Type     string             `json:"type"`
	State    string             `json:"state"`
	Step     string             `json:"step,omitempty"` // the subcommand that runs
	Since    *progress.Time     `json:"since,omitempty"`
	Next     *progress.Time     `json:"next,omitempty"`
	Paused   bool               `json:"paused,omitempty"` // by a person; a run may be on
	Until    *progress.Time     `json:"until,omitempty"`  // of a pause; nil: until it is resumed
	Last     *Run               `json:"last,omitempty"`
	Success  *progress.Time     `json:"success,omitempty"`  // the end of the last run that did all of it
	Progress *progress.Snapshot `json:"progress,omitempty"` // of this run, or the last one
	Clients  []string           `json:"clients,omitempty"`  // whom it serves
	// Connections are those of its clients.
	Connections []Connection `json:"connections,omitempty"`
	Problem     string       `json:"problem,omitempty"` // why a client cannot be served
	// OldHolds are those that a client has kept for longer than max_hold.
	OldHolds []endpoint.OldHold `json:"old_holds,omitempty"`
}

// Run is how one run of a job ended.
type Run struct {
	Started progress.Time `json:"started,omitzero"`
	Ended   progress.Time `json:"ended,omitzero"`
	Status  int           `json:"status"` // exit status
	Error   string        `json:"error,omitempty"`
	Stopped bool          `json:"stopped,omitempty"` // by a signal, which is no failure
}

// Failed reports whether the run did not do all of it, and was not told to
// stop either.
func (r *Run) Failed() bool { return r.Status != 0 && !r.Stopped }

// Connection is one connection of a client.
type Connection struct {
	Client string        `json:"client"`
	PID    int           `json:"pid"` // of what serves it
	Since  progress.Time `json:"since,omitzero"`
	Run    string        `json:"run,omitempty"`  // the client's
	Call   string        `json:"call,omitempty"` // that it made last
}

// Request asks for a run of a job.
type Request struct {
	Job string `json:"job"`
	// Config is the absolute path of the configuration that the job is in: a
	// daemon with another one does not have it, whatever its name.
	Config  string `json:"config"`
	Skip    string `json:"skip,omitempty"`
	Retries *int   `json:"retries,omitempty"` // nil: the usual number
}

// Event is one thing that happens in a run: exactly one field is set.
type Event struct {
	Stdout   string             `json:"stdout,omitempty"`
	Stderr   string             `json:"stderr,omitempty"`
	Progress *progress.Snapshot `json:"progress,omitempty"`
	Exit     *int               `json:"exit,omitempty"` // the last event
}

// Reloaded is what came of reading the configuration again.
type Reloaded struct {
	Errors  []string `json:"errors,omitempty"` // if any, the old one stays in force
	Added   []string `json:"added,omitempty"`  // jobs
	Removed []string `json:"removed,omitempty"`
	Changed []string `json:"changed,omitempty"`
}

// askReload names the configuration that a person means.
type askReload struct {
	Config string `json:"config"`
}

// Daemon is what answers the calls.
type Daemon interface {
	Status() Status
	// Watch returns a status whenever it changes, at most one a second.
	Watch(ctx context.Context) iter.Seq[Status]
	// Run starts a run and follows it to its end. Who stops following
	// does not stop the run. A job that the daemon does not have is
	// ErrNoJob, one that runs already ErrBusy.
	Run(ctx context.Context, r Request) (iter.Seq[Event], error)
	// Stop ends the run of a job and the connections of its clients, and returns
	// how many these were. It does not wait for their end.
	Stop(ctx context.Context, r Request) (int, error)
	// Look makes a job look at whether it is paused.
	Look(ctx context.Context, r Request) error
	// Reload reads the configuration again, which is in the file at this path.
	Reload(ctx context.Context, path string) (Reloaded, error)
}

// What Run may refuse.
var (
	ErrNoJob = errors.New("the daemon has no such job")
	ErrBusy  = errors.New("a run of this job is already active")
)

// Codes of errors, on the wire.
const (
	codeNoJob = "no-job"
	codeBusy  = "busy"
)

// Listener is a socket to answer calls at.
type Listener interface {
	AcceptUnix() (*net.UnixConn, error)
	Close() error
}

// Serve answers calls at a socket until ctx is cancelled. It closes l.
func Serve(ctx context.Context, l Listener, d Daemon) error {
	var served sync.WaitGroup
	defer served.Wait()
	places := make(chan struct{}, maxCommands)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	for {
		conn, err := l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			time.Sleep(100 * time.Millisecond)
			continue
		case err != nil:
			return err
		}
		select {
		case places <- struct{}{}:
			served.Go(func() { serveOne(ctx, conn, server(d)); <-places })
		default:
			conn.Close() // the command says that the far side hung up: try later
		}
	}
}

// maxCommands is how many commands are answered at once.
const maxCommands = 64

// serveOne serves one command. What is wrong with one concerns nobody else.
func serveOne(ctx context.Context, conn *net.UnixConn, s *rpc.Server) {
	f, err := conn.File()
	conn.Close()
	if err != nil {
		return
	}
	defer f.Close()
	s.Serve(ctx, f, f)
}

// limits leave room for the status of half a million datasets.
var limits = rpc.Limits{JSON: maxStatus, Line: maxStatus, Decoded: 16 * maxStatus}

const maxStatus = 128 << 20

func server(d Daemon) *rpc.Server {
	// What a command asks is short; what it is told may be long.
	s := &rpc.Server{Limits: rpc.Limits{Idle: time.Minute, Heartbeat: time.Second, JSON: 64 << 10, Line: maxStatus}}
	s.Greeting.Call = callHello
	s.Handle(callHello, func(context.Context, struct{}) (int, error) { return Version, nil })
	s.Handle(callStatus, func(context.Context, struct{}) (Status, error) { return d.Status(), nil })
	s.Handle(callWatch, func(ctx context.Context, _ struct{}) (iter.Seq2[Status, error], error) {
		return noErrors(d.Watch(ctx)), nil
	})
	s.Handle(callStop, func(ctx context.Context, r Request) (int, error) {
		n, err := d.Stop(ctx, r)
		return n, coded(err)
	})
	s.Handle(callLook, func(ctx context.Context, r Request) (struct{}, error) { return struct{}{}, coded(d.Look(ctx, r)) })
	s.Handle(callReload, func(ctx context.Context, a askReload) (Reloaded, error) { return d.Reload(ctx, a.Config) })
	s.Handle(callRun, func(ctx context.Context, r Request) (iter.Seq2[Event, error], error) {
		events, err := d.Run(ctx, r)
		if err != nil {
			return nil, coded(err)
		}
		return noErrors(events), nil
	})
	return s
}

// coded gives an error the code by which a command knows it.
func coded(err error) error {
	switch {
	case errors.Is(err, ErrNoJob):
		return &rpc.RemoteError{Code: codeNoJob, Message: err.Error()}
	case errors.Is(err, ErrBusy):
		return &rpc.RemoteError{Code: codeBusy, Message: err.Error()}
	}
	return err
}

func noErrors[T any](seq iter.Seq[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v := range seq {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// ErrAway says that no daemon answers at the socket.
var ErrAway = errors.New("no daemon is running")

// client is a connection to the daemon.
type client struct {
	*rpc.Conn
	file *os.File
}

func (c *client) Close() error {
	return errors.Join(c.Conn.Close(), c.file.Close())
}

// dial connects to the daemon and agrees on the version.
func dial(ctx context.Context, sockpath string) (*client, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: sockpath, Net: "unix"})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, ErrAway
	case err != nil:
		return nil, err
	}
	f, err := conn.File()
	conn.Close()
	if err != nil {
		return nil, err
	}
	calls, err := rpc.NewConn(f, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	calls.Limits = limits
	c := &client{calls, f}
	var version int
	if err := c.Call(ctx, callHello, nil, &version); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if version != Version {
		return nil, errors.Join(errors.New("the running daemon is of another version"), c.Close())
	}
	return c, nil
}
