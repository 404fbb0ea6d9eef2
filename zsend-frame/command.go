package main

import (
	"context"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/framer"
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
	c := child.Cmd{Args: args, Stdin: o.In, Stdout: w, Stderr: &child.Tail{}, StderrCopy: o.Stderr,
		Group: !o.TTY, Guard: !o.TTY}
	if o.Inputs != nil {
		if c.Input, err = o.Inputs.Next(); err != nil {
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
	if o.Inputs != nil {
		p.Finish()
	}
	send.In, send.Command = r, command{p, ctx}
	return p, nil
}

// compress has zstd(1) compress what is sent.
func (o *options) compress(ctx context.Context, send *frame.SendOptions) (*pack.Compressor, error) {
	c, err := pack.Compress(ctx, o.method, pack.Plain{In: send.In, Command: send.Command, Inspect: send.Inspect, Moved: &o.Moved, Group: !o.TTY})
	if err != nil {
		return nil, err
	}
	c.Into(send, &o.Linked)
	return c, nil
}

// command passes a signal that stopped us on, before it kills.
type command struct {
	*child.Process
	ctx context.Context
}

func (c command) Kill() { framer.Kill(c.ctx, c.Process) }
