package main

import (
	"context"
	"errors"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// start starts the command, whose stdin then gets what is received.
func (o *options) start(ctx context.Context, args []string, receive *frame.ReceiveOptions) (*child.Process, error) {
	r, w, err := child.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, err := child.Start(context.WithoutCancel(ctx), child.Cmd{
		Args: args, Stdin: r, Stdout: o.out, Stderr: &child.Tail{}, StderrCopy: o.stderr,
		Group: !o.tty, Guard: !o.tty, GuardKeepsOpen: w,
	})
	if err != nil {
		w.Close()
		return nil, err
	}
	receive.Out, receive.Command = w, command{p, ctx}
	return p, nil
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
