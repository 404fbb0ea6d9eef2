// Package daemon runs jobs at their times and lets clients in.
//
// It never parses a client's bytes: a client's descriptors go to a process of
// its own, `zreplctl serve`, and a run of a job is a process, too. So a
// deadline is a kill, and a leak or a crash costs one connection or one run.
// What the package knows it was told on those processes' status descriptors.
//
// It promises that when it ends, all that it started has ended.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/transport"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// Options say what a daemon needs.
type Options struct {
	Config  *config.Config
	Program string       // zreplctl itself, for its children
	Log     *slog.Logger // not nil
	PID     int
	Started time.Time
	Ready   func() // called once everything listens; may be nil
}

// daemon is the whole of it.
type daemon struct {
	Options
	clients  []*client
	jobs     []*job
	children sync.WaitGroup // everything that must end before we do
	changed  *bell
}

// Run listens and runs jobs until ctx is cancelled. It returns an error only
// if it could not begin.
func Run(ctx context.Context, o Options) (err error) {
	d := &daemon{Options: o, changed: newBell()}
	socket, err := d.listenControl()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closed(socket.Close())) }()
	if err := d.build(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, c := range d.clients {
		d.children.Go(func() { c.accept(ctx) })
	}
	for _, j := range d.jobs {
		d.children.Go(func() { j.schedule(ctx) })
	}
	d.children.Go(func() {
		if err := control.Serve(ctx, socket, d); err != nil {
			d.Log.Error("the control socket is broken", "error", err)
		}
	})
	d.Log.Info("started", "jobs", len(d.Config.Jobs), "config", d.Config.Path)
	if d.Ready != nil {
		d.Ready()
	}
	<-ctx.Done()
	d.Log.Info("ending", "cause", context.Cause(ctx))
	d.children.Wait()
	return nil
}

// listenControl comes first: it is what keeps two daemons apart.
func (d *daemon) listenControl() (*transport.Socket, error) {
	l, err := transport.ListenUnix(d.Config.Global.Control)
	if errors.Is(err, transport.ErrInUse) {
		err = &runsAlreadyError{err}
	}
	return l, err
}

type runsAlreadyError struct{ error }

func (e *runsAlreadyError) Unwrap() error   { return e.error }
func (e *runsAlreadyError) ExitStatus() int { return cli.TryLater }
func (e *runsAlreadyError) Hint() string    { return "a daemon is running already" }

// build makes clients and jobs of the configuration. After an error nothing
// listens.
func (d *daemon) build() error {
	for _, j := range d.Config.Jobs {
		if j.Serve != nil {
			l, err := transport.Listen(d.Config.Global.SockDir, j.Serve.ClientIdentity)
			if err != nil {
				for _, c := range d.clients {
					c.listener.Close()
				}
				return fmt.Errorf("job %q: %w", j.Name, err)
			}
			d.clients = append(d.clients, newClient(d, j, l))
		}
		d.jobs = append(d.jobs, newJob(d, j))
	}
	return nil
}

// closed forgives that something is closed.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// common are the arguments that every child gets behind its own.
func (d *daemon) common() []string { return []string{"-config", d.Config.Path} }
