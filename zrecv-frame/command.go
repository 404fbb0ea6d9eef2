package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// runs starts the command, once for each part of the stream. The run of the
// next part is started while the current one works, so that only its work
// takes time: it waits for its input, and gets none if the stream is refused.
// Used runs are waited for meanwhile, too.
type runs struct {
	o       *options
	ctx     context.Context
	args    []string
	parts   []stream.Snapshot // of which no run was started yet
	ahead   chan part         // brings the next run; nil: there is none
	waiting sync.WaitGroup
	used    *child.Process // of the current part
}

// part is one run of the command, and our end of its stdin.
type part struct {
	*child.Process
	in  *os.File
	err error
}

// newRuns starts the first.
func (o *options) newRuns(ctx context.Context, args []string) *runs {
	rs := &runs{o: o, ctx: ctx, args: args, parts: o.expect.To}
	if len(rs.parts) == 0 {
		rs.parts = []stream.Snapshot{{}}
	}
	rs.startNext()
	return rs
}

// next returns the run of the next part, and has the one after it started. The
// run of the part before has ended.
func (rs *runs) next() (*os.File, frame.Command, error) {
	if rs.ahead == nil {
		return nil, nil, errors.New("there is no command for more parts of the stream")
	}
	current := <-rs.ahead
	rs.ahead = nil
	if current.err != nil {
		return nil, nil, current.err
	}
	rs.reap()
	rs.used = current.Process
	rs.startNext()
	return current.in, command{current.Process, rs.ctx}, nil
}

// reap waits for a run that has ended, without holding up the next.
func (rs *runs) reap() {
	if used := rs.used; used != nil {
		rs.waiting.Go(func() { used.Wait() })
	}
	rs.used = nil
}

// startNext starts the run of the first of the parts that have none.
func (rs *runs) startNext() {
	if len(rs.parts) == 0 {
		return
	}
	of := rs.parts[0]
	rs.parts = rs.parts[1:]
	ahead := make(chan part, 1)
	rs.ahead = ahead
	go func() { ahead <- rs.start(of) }()
}

// start starts a run.
func (rs *runs) start(of stream.Snapshot) part {
	args := slices.Clone(rs.args)
	if of.Name != "" {
		args[len(args)-1] += "@" + of.Name
	}
	r, w, err := child.Pipe()
	if err != nil {
		return part{err: err}
	}
	defer r.Close()
	p, err := child.Start(context.WithoutCancel(rs.ctx), child.Cmd{
		Args: args, Stdin: r, Stdout: rs.o.out, Stderr: &child.Tail{}, StderrCopy: rs.o.stderr,
		Group: !rs.o.tty, Guard: !rs.o.tty, GuardKeepsOpen: w,
	})
	if err != nil {
		w.Close()
	}
	return part{p, w, err}
}

// end ends a run that was started and got nothing, and waits for all.
func (rs *runs) end() {
	if rs.ahead != nil {
		if p := <-rs.ahead; p.err == nil {
			p.Kill()
			p.in.Close()
			p.Wait()
		}
	}
	rs.reap()
	rs.waiting.Wait()
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
