package main

import (
	"context"
	"errors"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
)

// start starts the command, whose stdout is then what is sent.
func (o *options) start(ctx context.Context, args []string, send *frame.SendOptions) (*child.Process, error) {
	pipe := child.Pipe
	if o.method != "" { // who compresses reads it by Go's runtime
		pipe = child.PollablePipe
	}
	r, w, err := pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	c := child.Cmd{Args: args, Stdin: o.in, Stdout: w, Stderr: &child.Tail{}, StderrCopy: o.stderr,
		Group: !o.tty, Guard: !o.tty}
	if o.inputs != nil {
		if c.Input, err = o.inputs.Next(); err != nil {
			r.Close()
			return nil, err
		}
		defer c.Input.W.Close() // it gets no input
	}
	p, err := child.Start(context.WithoutCancel(ctx), c)
	if err != nil {
		r.Close()
		return nil, err
	}
	if o.inputs != nil {
		p.Finish()
	}
	send.In, send.Command = r, command{p, ctx}
	return p, nil
}

// compress has zstd(1) compress what is sent.
func (o *options) compress(ctx context.Context, send *frame.SendOptions) (*pack.Compressor, error) {
	c, err := pack.Compress(ctx, o.method, pack.Plain{In: send.In, Command: send.Command, Inspect: send.Inspect, Moved: &o.moved, Group: !o.tty})
	if err != nil {
		return nil, err
	}
	c.Into(send, &o.linked)
	return c, nil
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
