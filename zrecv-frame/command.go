package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// runs starts the command, once for each part of the stream. The run of the
// next part is started while the current one works, so that only its work
// takes time: it waits for its input, and gets none if the stream is refused.
type runs struct {
	o     *options
	ctx   context.Context
	args  []string
	parts []stream.Snapshot // of which no run was started yet
	ahead *part             // started, and not used yet
	used  *child.Process    // of the current part
}

// part is one run of the command, and our end of its stdin.
type part struct {
	*child.Process
	in *os.File
}

// newRuns starts the first.
func (o *options) newRuns(ctx context.Context, args []string) (*runs, error) {
	rs := &runs{o: o, ctx: ctx, args: args, parts: o.expect.To}
	if len(rs.parts) == 0 {
		rs.parts = []stream.Snapshot{{}}
	}
	return rs, rs.start()
}

// next returns the run of the next part, and starts the one after it. The run
// of the part before has ended.
func (rs *runs) next() (*os.File, frame.Command, error) {
	if rs.used != nil {
		rs.used.Wait()
	}
	current := rs.ahead
	if current == nil {
		return nil, nil, errors.New("there is no command for more parts of the stream")
	}
	if len(rs.parts) > 0 {
		if err := rs.start(); err != nil {
			rs.ahead = current
			return nil, nil, err
		}
	} else {
		rs.ahead = nil
	}
	rs.used = current.Process
	return current.in, command{current.Process, rs.ctx}, nil
}

// start starts a run.
func (rs *runs) start() error {
	args := slices.Clone(rs.args)
	if name := rs.parts[0].Name; name != "" {
		args[len(args)-1] += "@" + name
	}
	rs.parts = rs.parts[1:]
	r, w, err := child.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	p, err := child.Start(context.WithoutCancel(rs.ctx), child.Cmd{
		Args: args, Stdin: r, Stdout: rs.o.out, Stderr: &child.Tail{}, StderrCopy: rs.o.stderr,
		Group: !rs.o.tty, Guard: !rs.o.tty, GuardKeepsOpen: w,
	})
	if err != nil {
		w.Close()
		return err
	}
	rs.ahead = &part{p, w}
	return nil
}

// end ends a run that was started and got nothing, and waits for both.
func (rs *runs) end() {
	if rs.ahead != nil {
		rs.ahead.Kill()
		rs.ahead.in.Close()
		rs.ahead.Wait()
	}
	if rs.used != nil {
		rs.used.Wait()
	}
}

// command passes a signal that stopped us on, before it kills.
type command struct {
	*child.Process
	ctx context.Context
}

func (c command) Kill() {
	if s, ok := errors.AsType[cli.SignalError](context.Cause(c.ctx)); ok {
		c.End(s.Signal, time.Second)
	}
	c.Process.Kill()
}
