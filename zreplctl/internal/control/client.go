package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
)

// Get asks the daemon for its status. Without a daemon it is ErrAway.
func Get(ctx context.Context, sockpath string) (Status, error) {
	c, err := dial(ctx, sockpath)
	if err != nil {
		return Status{}, err
	}
	defer c.Close()
	var s Status
	err = c.Call(ctx, callStatus, nil, &s)
	return s, err
}

// Watch gives the daemon's status whenever it changes, until the daemon ends
// or ctx is cancelled.
func Watch(ctx context.Context, sockpath string) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		c, err := dial(ctx, sockpath)
		if err != nil {
			yield(Status{}, err)
			return
		}
		defer c.Close()
		rpc.Stream[Status](ctx, c.Conn, callWatch, nil)(yield)
	}
}

// Reload lets the daemon read its configuration again, which is in the file
// at this absolute path. Without a daemon the error is ErrAway.
func Reload(ctx context.Context, sockpath, path string) (r Reloaded, err error) {
	c, err := dial(ctx, sockpath)
	if err != nil {
		return r, err
	}
	defer c.Close()
	err = c.Call(ctx, callReload, askReload{path}, &r)
	return r, err
}

// Stop ends what a job of the daemon does, and returns how many runs and
// connections these were. Without a daemon the error is ErrAway, without the job
// ErrNoJob.
func Stop(ctx context.Context, sockpath string, r Request) (stopped int, err error) {
	c, err := dial(ctx, sockpath)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	err = uncoded(c.Call(ctx, callStop, r, &stopped))
	return stopped, err
}

// Look makes a job of the daemon look at whether it is paused. The errors are
// those of Stop.
func Look(ctx context.Context, sockpath string, r Request) error {
	c, err := dial(ctx, sockpath)
	if err != nil {
		return err
	}
	defer c.Close()
	return uncoded(c.Call(ctx, callLook, r, &struct{}{}))
}

func uncoded(err error) error {
	if remote := (*rpc.RemoteError)(nil); errors.As(err, &remote) && remote.Code == codeNoJob {
		return ErrNoJob
	}
	return err
}

// Follower gets what a run in the daemon says.
type Follower struct {
	Stdout, Stderr io.Writer
	Progress       func(progress.Snapshot) // may be nil
}

// RunJob lets a running daemon that has the job run it now, follows the run
// and returns the exit status of the run. handled is false, with nothing
// done, where there is no daemon, where it does not have the job, or where we
// are one of its children: then the caller runs the job itself.
//
// Cancelling ctx stops following, not the run.
func RunJob(ctx context.Context, sockpath string, r Request, to Follower) (code int, handled bool, err error) {
	if os.Getenv(ChildEnv) != "" {
		return 0, false, nil
	}
	c, err := dial(ctx, sockpath)
	if errors.Is(err, ErrAway) || errors.Is(err, fs.ErrPermission) {
		return 0, false, nil
	}
	if err != nil {
		return 0, true, fmt.Errorf("cannot ask the daemon at %q: %w", sockpath, err)
	}
	defer c.Close()
	for e, err := range rpc.Stream[Event](ctx, c.Conn, callRun, r) {
		var remote *rpc.RemoteError
		switch {
		case errors.As(err, &remote) && remote.Code == codeNoJob:
			return 0, false, nil
		case errors.As(err, &remote) && remote.Code == codeBusy:
			return cli.TryLater, true, &busyError{r.Job}
		case ctx.Err() != nil:
			return 1, true, &leftError{r.Job, context.Cause(ctx)}
		case err != nil:
			return cli.TryLater, true, &lostError{err}
		case e.Exit != nil:
			return *e.Exit, true, nil
		}
		if e.Progress != nil && to.Progress != nil {
			to.Progress(*e.Progress)
		}
		if _, err := io.WriteString(to.Stdout, e.Stdout); err != nil {
			return 1, true, err
		}
		io.WriteString(to.Stderr, e.Stderr) // nobody to tell
	}
	return cli.TryLater, true, &lostError{rpc.ErrHungUp}
}

// leftError says that a person has stopped to follow a run.
type leftError struct {
	job string
	err error
}

func (e *leftError) Error() string {
	return fmt.Sprintf("job %q still runs in the daemon: %v", e.job, e.err)
}
func (e *leftError) Unwrap() error { return e.err }
func (e *leftError) Hint() string  { return "zreplctl stop " + e.job + " ends the run" }

type busyError struct{ job string }

func (e *busyError) Error() string   { return fmt.Sprintf("cannot run job %q: %v", e.job, ErrBusy) }
func (e *busyError) Unwrap() error   { return ErrBusy }
func (e *busyError) ExitStatus() int { return cli.TryLater }
func (e *busyError) Hint() string    { return "zreplctl status shows it" }

type lostError struct{ err error }

func (e *lostError) Error() string   { return "cannot follow the run in the daemon: " + e.err.Error() }
func (e *lostError) Unwrap() error   { return e.err }
func (e *lostError) ExitStatus() int { return cli.TryLater }
