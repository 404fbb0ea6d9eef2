// Package daemon runs jobs at their times and lets clients in.
//
// It never parses a client's bytes: each client's descriptors go to a process
// of their own, `zreplctl serve`. A run of a job is a process, too. So a
// deadline is a kill, and a leak or a crash costs one connection or one run.
// These processes report on a status descriptor what happens.
//
// The package promises that when it ends, all that it started has ended.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/transport"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/systemd"
)

// Options say what a daemon needs.
type Options struct {
	Config  *config.Config
	Program string       // zreplctl itself, for its children
	Log     *slog.Logger // not nil
	PID     int
	Started time.Time
	Ready   func()        // called once everything listens that can; may be nil
	Retry   time.Duration // how often what could not be begun is tried again; 30 s

	// Text is what Config was read from. Children get it, so that nobody runs
	// by a file that the daemon has not accepted; nil: they read the file.
	Text []byte
	// Read reads the configuration again, at each value of Hangup or when a
	// person asks for it; nil: there is no other. Reloaded is called with what
	// the daemon has accepted; it may be nil.
	Read     func() (*config.Config, []byte, error)
	Hangup   <-chan os.Signal
	Reloaded func(*config.Config, []byte)
	// LastRun is when a job ran last, as its record says; nil: not known.
	LastRun func(*config.Job) time.Time
	// Broken is told why the clients of jobs cannot reach them, by job, behind
	// Ready and whenever that changes; may be nil.
	Broken  func(map[string]string)
	Manager systemd.Manager
	// Sockets are those at which the manager listens for the daemon. The one that is
	// the control socket is used, and all are closed.
	Sockets []*os.File
}

// daemon is the whole of it.
type daemon struct {
	Options
	children sync.WaitGroup // everything that must end before we do
	changed  *bell
	room     *room
	turns    turns
	troubles troubles
	asked    chan chan control.Reloaded // who asks for a reload
	inherit  inheritance

	mu      sync.Mutex
	config  *config.Config // what is in force: Config is what it began with
	clients []*client
	jobs    []*job // in the order of the file, then those that end
}

// conf is the configuration that is in force.
func (d *daemon) conf() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config
}

// all returns the jobs and the clients of this moment.
func (d *daemon) all() ([]*job, []*client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.jobs), slices.Clone(d.clients)
}

const defaultRetry = 30 * time.Second

// Run listens and runs jobs until ctx is cancelled. What it cannot begin it
// says, leaves out, and tries again later. It returns an error only if another
// daemon is running or nothing is left to do.
func Run(ctx context.Context, o Options) (err error) {
	if o.Retry == 0 {
		o.Retry = defaultRetry
	}
	d := &daemon{Options: o, changed: newBell(), config: o.Config, asked: make(chan chan control.Reloaded)}
	socket, err := d.listenControl()
	if err != nil {
		return err
	}
	if d.room, err = newRoom(o.Config.Global.Limits.OrDefaults()); err != nil {
		return errors.Join(err, end(socket))
	}
	defer d.room.close()
	defer d.inherit.close()
	if err := d.inherit.set(o.Config.Global.Control, o.Text); err != nil {
		d.Log.Warn("jobs read the file of the configuration, even one that the daemon has not accepted", "error", err)
	}
	d.turns.allow(o.Config.Global.Runs)
	if err := d.build(); err != nil {
		return errors.Join(err, end(socket))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, c := range d.clients {
		c.start(ctx)
	}
	for _, j := range d.jobs {
		d.children.Go(func() { j.schedule(ctx) })
	}
	d.children.Go(func() { d.answer(ctx, socket) })
	d.children.Go(func() { d.reloads(ctx) })
	d.Log.Info("started", "jobs", len(d.Config.Jobs), "config", d.Config.Path)
	if d.Ready != nil {
		d.Ready()
	}
	d.tellManager(systemd.Ready)
	d.children.Go(func() { d.manage(ctx) })
	d.tellBroken(ctx)
	d.tellManager(systemd.Stopping, systemd.Extend(d.conf().Global.StopTimeout+stopMargin))
	d.Log.Info("ending", "cause", context.Cause(ctx))
	d.children.Wait()
	return nil
}

// tellBroken tells which jobs clients cannot reach until ctx is cancelled.
func (d *daemon) tellBroken(ctx context.Context) {
	told := map[string]string{}
	for ctx.Err() == nil {
		changed, now := d.changed.next(), map[string]string{}
		for _, j := range d.Status().Jobs {
			if j.Problem != "" {
				now[j.Name] = j.Problem
			}
		}
		if d.Broken != nil && !maps.Equal(now, told) {
			d.Broken(now)
			told = now
		}
		select { // many changes come together
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// listenControl comes first: it is what keeps two daemons apart. It returns
// nil if the socket cannot be made for another reason.
func (d *daemon) listenControl() (*transport.Socket, error) {
	l, err := d.adopted()
	if l == nil && err == nil {
		l, err = transport.ListenUnix(d.Config.Global.Control)
	}
	switch {
	case errors.Is(err, transport.ErrInUse):
		return nil, &runsAlreadyError{err}
	case err != nil:
		d.Log.Error("no command can reach the daemon: no control socket", "error", err)
		return nil, nil
	}
	return l, nil
}

// adopted is the control socket of the manager, nil if there is none.
func (d *daemon) adopted() (socket *transport.Socket, err error) {
	for _, f := range d.Sockets {
		if socket == nil {
			socket, err = transport.AdoptUnix(d.Config.Global.Control, f)
		}
		f.Close()
	}
	if socket != nil || errors.Is(err, transport.ErrInUse) {
		return socket, err
	}
	if err != nil {
		d.Log.Warn("the control socket of the service manager is not used", "error", err)
	}
	return nil, nil
}

// answer answers commands at the control socket until ctx is cancelled, and
// makes it again if there is none or it breaks.
func (d *daemon) answer(ctx context.Context, socket *transport.Socket) {
	for ctx.Err() == nil {
		if socket != nil {
			if err := control.Serve(ctx, socket, d); err != nil {
				d.Log.Error("the control socket is broken", "error", err)
			}
			socket.Close()
		}
		wait(ctx, d.Retry)
		if ctx.Err() != nil {
			return
		}
		var err error
		if socket, err = transport.ListenUnix(d.Config.Global.Control); err != nil {
			d.Log.Debug("still no control socket", "error", err)
			socket = nil
		} else {
			d.Log.Info("the control socket is back")
		}
	}
}

type runsAlreadyError struct{ error }

func (e *runsAlreadyError) Unwrap() error   { return e.error }
func (e *runsAlreadyError) ExitStatus() int { return cli.TryLater }
func (e *runsAlreadyError) Hint() string    { return "a daemon is running already" }

// build makes clients and jobs of the configuration. A job whose client cannot
// be listened for does the rest of its work. It is an error if no job has any.
func (d *daemon) build() error {
	var errs []error
	left := false
	for _, j := range d.Config.Jobs {
		one := newJob(d, j)
		d.jobs = append(d.jobs, one)
		works := len(one.steps) > 0
		for _, id := range j.Clients() {
			c := newClient(d, one, id)
			d.clients = append(d.clients, c)
			if err := c.listen(); err != nil {
				errs = append(errs, fmt.Errorf("job %q: %w", j.Name, err))
			} else {
				works = true
			}
		}
		left = left || works
	}
	if left {
		return nil
	}
	return errors.Join(errs...)
}

// closed forgives that something is closed.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// end closes a socket, if there is one.
func end(socket *transport.Socket) error {
	if socket == nil {
		return nil
	}
	return closed(socket.Close())
}

// common are the arguments that every child gets behind its own.
func (d *daemon) common() []string { return []string{"-config", d.Config.Path} }
